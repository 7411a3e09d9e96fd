#!/usr/bin/env python
"""Django's command-line entry point."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
    if sys.argv[1:2] == ["up"]:
        # The supervisor needs no Django of its own: without it the site is there seconds sooner.
        from petplace.embedded.up import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
