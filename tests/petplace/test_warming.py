"""What a server has done before its first request."""

import subprocess
import sys

FIRST_PAGE = """
import sys
import petplace.wsgi
from django.urls import resolve, reverse

known = set(sys.modules)
resolve(reverse("search"))
print(*sorted(set(sys.modules) - known))
"""


def test_nobody_waits_while_pages_are_imported() -> None:
    """Two seconds, often under locks: the first notification of a process asks for the address of its page."""
    done = subprocess.run([sys.executable, "-c", FIRST_PAGE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
