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
    """It takes two seconds, and workers that import for themselves share no memory for it."""
    done = subprocess.run([sys.executable, "-c", FIRST_PAGE], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
