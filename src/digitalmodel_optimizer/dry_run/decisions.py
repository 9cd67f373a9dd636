"""What the plugins would decide for a batch: asked by the hooks that the batch itself asks by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from digitalmodel_optimizer.batch.files_run import is_calibrated, refuse_time_limit
from digitalmodel_optimizer.batch.machine import measure_machine
from digitalmodel_optimizer.batch.planning import make_schedule, measured_of
from digitalmodel_optimizer.dry_run.plan import Decisions
from digitalmodel_optimizer.plugin import (
    ExecutorChoice,
    Expected,
    FileResult,
    Machine,
    Schedule,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.manager import Manager


def decide(
    manager: Manager,
    settings: Settings,
    files: Sequence[SimulationFile],
    finished: Mapping[int, FileResult],
    broken_off: Collection[int],
    machine: Machine | None = None,
) -> Decisions | None:
    """For those of ``files`` that are not finished; None if there are none.

    :param machine: where it would be decided; this one by default.
    :raises OptimizerError: the batch would be refused, or a plugin's answer cannot be used.
    """
    machine = machine or measure_machine()
    left = [file for file in files if file.index not in finished]
    if not left:
        return None
    unknown = _unasked(manager)
    executor: ExecutorChoice | None = None
    if unknown is None:
        executor = manager.ask(
            "optimizer_choose_executor", files=tuple(left), machine=machine, settings=settings
        )
        if not isinstance(executor, ExecutorChoice):
            raise manager.invalid_return("optimizer_choose_executor", executor, "an ExecutorChoice")
        refuse_time_limit(settings, executor)
    ready = executor.ready_workers if executor else 0
    measured = measured_of(finished.values(), ready)
    schedule = make_schedule(manager, settings, left, measured, machine, broken_off)
    return Decisions(
        schedule=schedule,
        executor=executor,
        executor_reason=executor.reason if executor else f"{unknown} chooses as the batch begins",
        expected=_expected(schedule),
        provisional=is_calibrated(left),
    )


def _unasked(manager: Manager) -> str | None:
    """The plugin that is asked first for the executor and does not say beforehand which one."""
    hook = manager.hook
    choosing = {item.plugin_name for item in hook.optimizer_choose_executor.get_hookimpls()}
    first = [
        item.plugin_name
        for item in hook.optimizer_executor.get_hookimpls()
        if not (item.wrapper or item.hookwrapper)
    ][-1]
    return None if first in choosing else manager.who(first)


def _expected(schedule: Schedule) -> Expected | None:
    """The largest of what the groups expect: each looks at all files."""
    known = [item.allocation.expected for item in schedule.assignments]
    return max((item for item in known if item), key=lambda item: item.seconds, default=None)
