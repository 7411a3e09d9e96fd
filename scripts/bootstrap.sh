#!/bin/sh
# Prepare this checkout: a virtual environment in .venv, the pinned packages, the front-end files.
# Usage: scripts/bootstrap.sh [dev]. Done already is done fast: each step leaves a stamp.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-run}" = dev ]; then requirements=requirements-dev.txt; else requirements=requirements.txt; fi

say() { printf '%s\n' "$*"; }

suits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && suits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "Pet Place needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv)." >&2
    exit 1
}

# A .venv that is a link belongs to someone else: used as it is, never changed.
if [ -L .venv ]; then
    [ -x .venv/bin/python ] || { say ".venv points to no Python." >&2; exit 1; }
else
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        say "Making a virtual environment with $("$python" --version) ..."
        "$python" -m venv .venv
    fi
    stamp=.venv/.installed-$requirements
    wanted=$(cat requirements.txt "$requirements" | cksum)
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        say "Installing the packages of $requirements ..."
        # uv takes seconds where pip takes a minute, but it does not read pip's configuration: where it cannot
        # reach the index, pip can.
        if ! { .venv/bin/python -m pip install --quiet --disable-pip-version-check uv \
            && .venv/bin/uv pip install --quiet --python .venv/bin/python -r "$requirements"; }; then
            say "uv could not; pip takes about a minute ..."
            .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
        fi
        printf '%s\n' "$wanted" >"$stamp"
    fi
fi

.venv/bin/python scripts/vendor.py
