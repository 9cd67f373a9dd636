"""``digitalmodel-optimizer bench learning``: does tuning get better from run to run?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digitalmodel_optimizer.commands.bench_frame import (
    JsonOption,
    command_line,
    make_console,
    reporting_errors,
    telling,
    write_outputs,
)


def learning(
    runs: Annotated[int, typer.Option(min=1, help="Runs on each machine.")] = 24,
    machine: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
    json_file: JsonOption = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the curves there.")
    ] = None,
) -> None:
    """Play the same batches again and again on simulated machines, with tuning and without."""
    import tempfile

    with reporting_errors():
        from digitalmodel_optimizer.bench.json_form import demand_writable
        from digitalmodel_optimizer.bench.learning import SCENARIOS, study_learning
        from digitalmodel_optimizer.bench.learning_pages import (
            learning_figures,
            write_learning_page,
        )
        from digitalmodel_optimizer.plugin import OptimizerError

        names = [item.name for item in SCENARIOS]
        unknown = [name for name in machine or () if name not in names]
        if unknown:
            raise OptimizerError(f"unknown machine {unknown[0]!r}; choose from {', '.join(names)}")
        for path in (json_file, page):
            if path is not None:
                demand_writable(path)
        console = make_console()
        with tempfile.TemporaryDirectory() as folder, telling(console) as say:
            result = study_learning(command_line(), runs, Path(folder), say, machine or ())
        console.print(learning_figures(result), soft_wrap=True)
        write_outputs(result, json_file, page, write_learning_page, console)
