"""``digitalmodel-optimizer tuning``: what it asks of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from digitalmodel_optimizer.plugin import OptimizerError, Settings, TuningAction
from digitalmodel_optimizer_plugins.tuning.explaining import explain
from digitalmodel_optimizer_plugins.tuning.observation import batch_of
from digitalmodel_optimizer_plugins.tuning.store import TuningStore, default_path

NAME = "tuning"


def manage(action: TuningAction, path: str, settings: Settings) -> Sequence[str]:
    """Lines to print.

    :raises OptimizerError: it cannot be done.
    """
    place = default_path()
    if place is None:
        raise OptimizerError("tuning is switched off by DIGITALMODEL_OPTIMIZER_TUNING")
    store = TuningStore(place)
    if action is TuningAction.EXPLAIN:
        return [*explain(store.read(), str(place), settings.plugin(NAME), batch_of(settings))]
    if action is TuningAction.FREEZE:
        store.freeze(frozen=True)
        return ["frozen: choices rest on the runs known now; nothing is learned or tried out"]
    if action is TuningAction.THAW:
        store.freeze(frozen=False)
        return ["thawed: runs are learned from again"]
    if action is TuningAction.EXPORT:
        return [f"{path}: {_runs(store.export(Path(path)))} written"]
    if action is TuningAction.IMPORT:
        return [f"{path}: {_runs(store.import_from(Path(path)))} added"]
    return [f"{_runs(store.reset())} forgotten; the next run has the static choice"]


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
