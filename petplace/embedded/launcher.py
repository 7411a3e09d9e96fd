"""Become another program that ends when its starter ends. Run as a script, never imported by the project.

``python -I -S launcher.py '<json>' program arguments...`` drops privileges, ties its life to the starter's, and
replaces itself with the program, so the process id stays the one that the starter knows. Standard library only, and
few modules of it: this runs once for each process.

On Linux the kernel sends the death signal. Elsewhere a forked watcher holds the read end of a pipe whose only write
end is in the starter: end of file means that the starter is gone.
"""

import ctypes
import json
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    plan = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if plan["uid"] is not None:
        os.setgroups([])
        os.setgid(plan["gid"])
        os.setuid(plan["uid"])
    if plan["watch"] is None:
        # After setuid: a change of credentials clears the death signal.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, plan["signal"], 0, 0, 0)
    else:
        target = os.getpid()
        os.set_inheritable(plan["watch"], False)
        if os.fork() == 0:
            watch(plan["watch"], target, plan["signal"])
    if os.getppid() != plan["parent"]:
        sys.exit(1)  # it died before the line above could take effect
    # An absolute path: a search, or any import, may fail once we may no longer read Python's own files.
    os.execv(program[0], program)  # noqa: S606 - no shell is meant


def watch(pipe: int, target: int, death_signal: int) -> None:
    """Send ``death_signal`` to our parent at the pipe's end of file; leave when the parent has ended by itself."""
    os.setsid()
    # Our parent's id cannot be reused while it is our parent, so the check makes the kill safe.
    while os.getppid() == target:
        ended, _, _ = select.select([pipe], [], [], 0.5)
        if ended and os.getppid() == target:
            if death_signal == signal.SIGKILL:
                os.killpg(target, death_signal)
            else:
                os.kill(target, death_signal)
            break
    os._exit(0)


main()
