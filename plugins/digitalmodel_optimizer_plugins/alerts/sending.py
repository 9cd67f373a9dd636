"""Where alerts go: addresses of apprise, which knows e-mail, Teams, Slack, webhooks and others.

Addresses hold passwords, so they come from the environment or the keyring of the system, never
from the batch's YAML, and are in no message of ours: a target is named by its kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TARGETS_VARIABLE = "DIGITALMODEL_OPTIMIZER_ALERTS"
"""Addresses, separated by blanks; ``keyring`` stands for what the keyring has."""
KEYRING_SERVICE = "digitalmodel-optimizer"
KEYRING_NAME = "alerts"
_COMMAND_S = 60.0


def targets() -> list[str]:
    """The addresses; empty if there are none.

    :raises ValueError: the keyring is asked for and cannot be read, as the end of a sentence.
    """
    words = os.environ.get(TARGETS_VARIABLE, "").split()
    found = []
    for word in words:
        found += _of_keyring() if word == "keyring" else [word]
    return found


def _of_keyring() -> list[str]:
    try:
        import keyring
    except ImportError:
        raise ValueError("needs the library keyring; pip install keyring") from None
    try:
        kept = keyring.get_password(KEYRING_SERVICE, KEYRING_NAME)
    except Exception as error:  # each of its backends has errors of its own
        raise ValueError(f"cannot read the keyring: {type(error).__name__}") from None
    if not kept:
        raise ValueError(f"finds nothing in the keyring for {KEYRING_SERVICE} {KEYRING_NAME}")
    return str(kept).split()


def send(addresses: Sequence[str], title: str, text: str) -> Iterator[str]:
    """Send to each address; a sentence for each that could not be reached."""
    if not addresses:
        return
    try:
        import apprise
    except ImportError:
        yield "alerts need the library apprise; pip install digitalmodel-optimizer[alerts]"
        return
    for number, address in enumerate(addresses, start=1):
        kind = address.partition(":")[0]
        try:
            one = apprise.Apprise()
            reached = one.add(address) and one.notify(body=text, title=title)
        except Exception:  # whatever a service raises may hold its address
            reached = False
        if not reached:
            yield f"the alert could not be sent to target {number} ({kind})"


def run_command(command: str, alerts: Sequence[Mapping[str, Any]], batch: str) -> str | None:
    """Run the user's command with the alerts as JSON on its standard input; what went wrong."""
    import shlex
    import subprocess

    content = json.dumps({"batch": batch, "alerts": list(alerts)})
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, from the user's own settings
            shlex.split(command, posix=os.name == "posix"),
            input=content,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_COMMAND_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"the command of alerts could not be run: {error}"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return f"the command of alerts ended with status {done.returncode}: {last}"
    return None
