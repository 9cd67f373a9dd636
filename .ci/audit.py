"""Known vulnerabilities of the pinned requirements in a file; fails where nobody could look."""

from __future__ import annotations

import json
import subprocess
import sys

_OPTIONS = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")


def main(requirements: str) -> int:
    """0: all were looked up, none has one; 1: some have; 2: it did not run, or not for all."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", requirements, *_OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print("the audit did not run:", *done.stderr.splitlines()[-1:])
        return 2
    unknown = [item["name"] for item in found if "skip_reason" in item]
    known = {item["name"]: [one["id"] for one in item.get("vulns", ())] for item in found}
    for name, identifiers in known.items():
        if identifiers:
            print(f"{name}: {', '.join(identifiers)}")
    if unknown:
        print(f"the audit did not run for {len(unknown)} of {len(found)}: {', '.join(unknown)}")
    vulnerable = any(known.values())
    print(f"{len(found) - len(unknown)} of {len(found)} looked up")
    return 1 if vulnerable else 2 if unknown or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
