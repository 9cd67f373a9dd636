"""checks: are the simulations what they should be, and do their results keep the limits?

Off unless the settings enable it. Looks at each model once it is loaded, at the results that are
read anyhow, and at the summary values; asks for no result of its own. At the end of the batch it
says what it found, writes ``<name>.checks.csv`` beside the results, and lets the command fail if
the settings say so. The host's own outputs stay as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    BatchVerdict,
    FileResult,
    Option,
    PluginOptions,
    Request,
    Settings,
    SettingsError,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer_plugins.checks.findings import KINDS, find
from digitalmodel_optimizer_plugins.checks.limits import (
    limit_faults,
    limited_values,
    read_limits,
)
from digitalmodel_optimizer_plugins.checks.observed import Observed
from digitalmodel_optimizer_plugins.checks.verdict import (
    failure,
    rows_of,
    rows_of_unchecked,
    sentence_of_unchecked,
    sentences,
    write_table,
)

NAME = "checks"
_KEY = f"orcaflex.parallel.plugins.{NAME}.limits"
_of_this_thread = threading.local()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Tells of simulations that are incomplete, unstable or odd, and of limits exceeded.",
        (
            Option("enabled", bool, False, "True switches the checks on."),
            Option("fail_on", list, (), "What makes the command end with status 1.", choices=KINDS),
            Option("skip", list, (), "What is not looked for.", choices=KINDS),
            Option(
                "limits",
                dict,
                {},
                "Limits by a summary column's label, in which * stands for anything: "
                "`{Tension_Max: {max: 4500}}`.",
            ),
        ),
        own_outputs=("*.checks.csv",),
    )


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    faults = list(limit_faults(settings.plugin(NAME)["limits"]))
    if faults:
        raise SettingsError([f"{_KEY} {fault}" for fault in faults], settings.source)


# -- one file, in the worker -------------------------------------------------------------------


@hookimpl(wrapper=True)
def optimizer_process_file() -> Generator[None, FileResult, FileResult]:
    """Send to the parent what was observed, whatever the options say: they apply there."""
    observed = _of_this_thread.observed = Observed()
    result = yield
    _of_this_thread.observed = None
    if not isinstance(result, FileResult) or result.error is not None:
        return result
    return replace(result, data={**result.data, NAME: observed.data()})


@hookimpl(wrapper=True)
def optimizer_load_model(file: SimulationFile) -> Generator[None, Any, Any]:
    model = yield
    observed: Observed | None = getattr(_of_this_thread, "observed", None)
    if observed is not None:
        observed.look_at_model(model, file.path)
    return model


@hookimpl(wrapper=True)
def optimizer_read_results(requests: Sequence[Request]) -> Generator[None, Any, Any]:
    answers = yield
    observed: Observed | None = getattr(_of_this_thread, "observed", None)
    if observed is not None:
        observed.look_at_results(requests, answers)
    return answers


# -- the batch, in the parent ------------------------------------------------------------------


@hookimpl
def optimizer_batch_finished(
    batch: Batch, report: BatchReport, settings: Settings
) -> BatchVerdict | None:
    if report.interrupted:
        return None
    options = settings.plugin(NAME)
    limits = read_limits(options["limits"])
    done = [result for result in report.results if result.error is None]
    data = {
        result.file: {
            **result.data[NAME],
            "values": limited_values(result.summary, limits) if limits else [],
        }
        for result in done
        if NAME in result.data
    }
    unchecked = [result.file for result in done if NAME not in result.data]
    findings = find(data, limits, skip=options["skip"])
    name = f"{PurePath(settings.source or 'batch').stem}.checks.csv"
    rows = rows_of(data, limits, findings, fail_on=options["fail_on"])
    write_table(batch.results_folder, name, [*rows, *rows_of_unchecked(unchecked)])
    told = [*sentences(data, limits, findings, name), *sentence_of_unchecked(unchecked)]
    return BatchVerdict(
        sentences=tuple(told),
        failure=failure(findings, options["fail_on"], name),
    )
