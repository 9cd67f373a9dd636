"""alerts: how the night went, to the terminal, the report, and whoever should know.

Off unless the settings enable it. Looks at a batch while it runs and at its report; what the rules
find is said in both, sent to the addresses in the environment, and given to a command.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchVerdict,
    Option,
    PluginOptions,
    Progress,
    Settings,
    SettingsError,
    hookimpl,
)
from digitalmodel_optimizer_plugins.alerts.rules import RULES, Alert, Watch, alerts_of
from digitalmodel_optimizer_plugins.alerts.sending import (
    TARGETS_VARIABLE,
    run_command,
    send,
    targets,
)

NAME = "alerts"
# What is sent while a batch runs must not keep it waiting for longer than this at its end.
_PATIENCE_S = 30.0
_watch: Watch | None = None
_folder = ""
_senders: list[threading.Thread] = []
_unsent: list[str] = []


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Tells you, or a command of yours, what was amiss with a batch.",
        (
            Option("enabled", bool, False, "True switches the alerts on."),
            *RULES,
            Option(
                "command",
                str,
                None,
                "A command that is run with the alerts as JSON on its standard input.",
                optional=True,
            ),
            Option("exit_status", bool, False, "Alerts let the command end with status 1."),
        ),
    )


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    try:
        targets()
    except ValueError as error:
        raise SettingsError([f"{TARGETS_VARIABLE} {error}"]) from None


@hookimpl
def optimizer_batch_started(batch: Batch, settings: Settings) -> None:
    global _watch, _folder
    _watch, _folder = Watch(settings.plugin(NAME)), batch.results_folder
    _senders.clear()
    _unsent.clear()


@hookimpl(tryfirst=True)
def optimizer_adjust(progress: Progress, settings: Settings) -> None:
    """Asked twice a second, whatever happens; leaves the workers as they are."""
    if _watch is None:
        return
    found = list(_watch.look(progress, _free_bytes(_folder)))
    if found:
        _say(found)
        thread = threading.Thread(target=_tell, args=(found, settings), daemon=True,
                                  name="optimizer-alerts")  # fmt: skip
        thread.start()
        _senders.append(thread)


@hookimpl(trylast=True)
def optimizer_report_ready(facts: Mapping[str, Any], settings: Settings) -> BatchVerdict | None:
    """Last, since it tells of what other plugins have refused as well."""
    global _watch
    _watch = None
    for thread in _senders:
        thread.join(_PATIENCE_S)
    found = list(alerts_of(facts, settings.plugin(NAME)))
    if found:
        _tell(found, settings)
    sentences = (*(alert.sentence for alert in found), *_unsent)
    _unsent.clear()
    fails = bool(found) and settings.plugin(NAME)["exit_status"]
    failure = "; ".join(alert.sentence for alert in found) if fails else ""
    return BatchVerdict(sentences, failure)


def _tell(alerts: Sequence[Alert], settings: Settings) -> None:
    """Send, and run the user's command; what could not be done is kept for the report."""
    batch = PurePath(settings.source).name if settings.source else "a batch"
    text = "\n".join(alert.sentence for alert in alerts)
    _unsent.extend(send(targets(), f"{batch}: {alerts[0].sentence}", text))
    command = settings.plugin(NAME)["command"]
    if command:
        content = [{"rule": alert.rule, "sentence": alert.sentence} for alert in alerts]
        fault = run_command(command, content, batch)
        if fault is not None:
            _unsent.append(fault)


def _say(alerts: Sequence[Alert]) -> None:
    if sys.stderr is not None:
        for alert in alerts:
            sys.stderr.write(f"alert: {alert.sentence}\n")


def _free_bytes(folder: str) -> int | None:
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        return shutil.disk_usage(folder or ".").free
    except OSError:
        return None
