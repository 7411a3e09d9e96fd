"""Ask whether advisories are known against what requirements.txt pins. Exit 1 when there are some.

Without an index that has advisories nothing can be asked: that is said in a line that begins with ``note:``, and is no
failure, as a check must not depend on the line out of the machine.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (
    sys.executable, "-m", "pip_audit", "--requirement", "requirements.txt", "--no-deps", "--disable-pip",
    "--format", "json", "--progress-spinner", "off", "--timeout", "5",
)  # fmt: skip
SECONDS = 120


def main() -> int:
    try:
        done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _note("no index with advisories answered in time; nothing was asked")
    except (ValueError, KeyError):
        if "No module named" in done.stderr:
            print(done.stderr)
            return 1
        return _note("no index with advisories can be reached; nothing was asked")
    return judge(found)


def judge(found: list[dict[str, Any]]) -> int:
    """Print what is known and return the exit code."""
    bad = [(item, advisory) for item in found for advisory in item.get("vulns", [])]
    for item, advisory in bad:
        fixed = ", ".join(advisory.get("fix_versions", [])) or "no version yet"
        print(f"{item['name']} {item.get('version', '')}: {advisory['id']}, mended in {fixed}")
    if bad:
        return 1
    # A mirror without advisories answers "not found" to each question, which pip-audit counts as harmless.
    silent = sum("skip_reason" in item for item in found)
    if silent == len(found):
        return _note("the index that can be reached has no advisories; nothing was asked")
    if silent:
        return _note(f"no advisory against {len(found) - silent} packages; {silent} are not known to the index")
    print(f"No advisory against {len(found)} packages.")
    return 0


def _note(text: str) -> int:
    print(f"note: {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
