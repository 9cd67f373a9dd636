"""``digitalmodel-optimizer report``: one run of the history as a page, or in other forms."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer.history.store import History, Run

_EARLIER = 60


class Form(str, enum.Enum):
    """What is written; the value is the file's ending."""

    HTML = "html"
    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"
    TRACE = "trace.json"


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|CONFIG|REPORT]",
            help="A run's number; a batch's YAML file, for its latest run; a report as JSON. "
            "By default the latest run of all.",
        ),
    ] = "",
    form: Annotated[
        Form,
        typer.Option(
            "--as",
            help="A page; a row per file; the facts; a record per line; a trace for Perfetto.",
        ),
    ] = Form.HTML,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="By default `run-N.html` (or so) in this folder."),
    ] = None,
) -> None:
    """Write what is known of a run: where the time went, what was decided, what failed."""
    from digitalmodel_optimizer.pages.parts import write_page
    from digitalmodel_optimizer.plugin import OptimizerError

    try:
        facts, earlier = _found(run)
        named = "report" if facts["run"] is None else f"run-{facts['run']}"
        path = output or Path(f"{named}.{form.value}")
        write_page(_written(form, facts, earlier), path)
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    typer.echo(str(path.absolute()))


def _written(form: Form, facts: dict[str, Any], earlier: list[Run]) -> str:
    import json

    from digitalmodel_optimizer.pages.run_page import run_page
    from digitalmodel_optimizer.report import exports

    if form is Form.HTML:
        return run_page(facts, earlier)
    if form is Form.CSV:
        return exports.as_csv(facts)
    if form is Form.JSON_LINES:
        return exports.as_json_lines(facts)
    if form is Form.TRACE:
        return exports.as_trace(facts)
    return json.dumps(facts, indent=1) + "\n"


def _found(name: str) -> tuple[dict[str, Any], list[Run]]:
    """The facts of the run that ``name`` stands for, and the runs of its batch.

    :raises OptimizerError: there is no such run, or its report is not kept any more.
    """
    from digitalmodel_optimizer.plugin import OptimizerError

    if name.endswith(".json"):
        return _read(Path(name)), []
    history = opened()
    run = find_run(history, name)
    facts = history.facts(run.id)
    if facts is None:
        raise OptimizerError(
            f"of run {run.id} only its figures are kept; see history show {run.id}"
        )
    return {**facts, "run": run.id}, history.runs(run.batch, last=_EARLIER)


def opened() -> History:
    """The history.

    :raises OptimizerError: it is switched off.
    """
    from digitalmodel_optimizer.history.store import VARIABLE, History, default_path
    from digitalmodel_optimizer.plugin import OptimizerError

    path = default_path()
    if path is None:
        raise OptimizerError(f"the history is switched off by {VARIABLE}")
    return History(path)


def find_run(history: History, name: str) -> Run:
    """The run with the number ``name``, or the latest of the batch called so, or of all.

    :raises OptimizerError: there is none.
    """
    from digitalmodel_optimizer.plugin import OptimizerError

    if name.isdecimal():
        runs = [run for run in history.runs() if run.id == int(name)]
        missing = f"there is no run {name} in {history.path}"
    else:
        runs = history.runs(name or None, last=1)
        of = f" of {name}" if name else ""
        missing = f"no run{of} is in the history {history.path}"
    if not runs:
        raise OptimizerError(f"{missing}; digitalmodel-optimizer history list shows them")
    return runs[-1]


def _read(path: Path) -> dict[str, Any]:
    import json

    from digitalmodel_optimizer.plugin import OptimizerError
    from digitalmodel_optimizer.report.facts import SCHEMA

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptimizerError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise OptimizerError(f"{path} is no report of this release ({SCHEMA})")
    return content
