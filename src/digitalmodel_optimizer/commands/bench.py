"""``digitalmodel-optimizer bench``: what the plugins are worth here, and on your files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitalmodel_optimizer.commands import bench_learning, bench_studies
from digitalmodel_optimizer.commands.bench_frame import (
    FolderOption,
    JsonOption,
    PageOption,
    check_writable,
    command_line,
    make_console,
    reporting_errors,
    save_early,
    telling,
    write_outputs,
)
from digitalmodel_optimizer.commands.host_needed import demand_host

if TYPE_CHECKING:
    from digitalmodel_optimizer.bench.batches import Batch
    from digitalmodel_optimizer.bench.results import Result, SuiteResult
    from digitalmodel_optimizer.bench.rounds import Wish

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)
app.command("scaling")(bench_studies.scaling)
app.command("memory")(bench_studies.memory)
app.command("learning")(bench_learning.learning)


@app.callback(invoke_without_command=True)
def command(
    context: typer.Context,
    suite: Annotated[
        str,
        typer.Option(
            help="Made batches: small, large, mixed, single, wide, objects (all), growing, guard."
        ),
    ] = "small,large,mixed,single,wide,objects",
    configurations: Annotated[
        str, typer.Option(help="Names or groups: default, founding, worth, counts, all.")
    ] = "default",
    rounds: Annotated[
        int, typer.Option(min=0, help="Timed rounds, the first of them cold; 0 only counts.")
    ] = 3,
    counts: Annotated[bool, typer.Option(help="Count native calls and files first.")] = True,
    files: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Your own simulation files, only read; needs --config."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own batch's YAML file, only read.")
    ] = None,
    most_files: Annotated[
        int | None, typer.Option(min=1, help="At most so many files of each batch.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.05, max=10.0, help="Makes the files of a suite so much larger.")
    ] = 1.0,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="BASELINE", help="Fail if worse than this earlier --json."),
    ] = None,
    json_file: JsonOption = None,
    page: PageOption = None,
    folder: FolderOption = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write outputs here and leave them there."),
    ] = None,
) -> None:
    """Run batches in named ways, side by side, and compare times, memory, calls and every byte.

    Runs `python -m digitalmodel`; made batches need neither OrcaFlex nor a licence. Ends with
    status 1 if an output differs, or if something is worse than the baseline.
    """
    given = [name for name in context.params if _was_given(context, name)]
    if context.invoked_subcommand is not None:
        if given:
            context.fail(
                f"{_option(given[0])} is an option of bench itself; those of "
                f"{context.invoked_subcommand} go behind it"
            )
        return
    with reporting_errors():
        demand_host()
        from digitalmodel_optimizer.bench.comparing import compare_results
        from digitalmodel_optimizer.bench.configurations import chosen
        from digitalmodel_optimizer.bench.page import write_page
        from digitalmodel_optimizer.bench.results import new_result, read_result
        from digitalmodel_optimizer.bench.rounds import Wish, run_batch
        from digitalmodel_optimizer.bench.running import working_folder
        from digitalmodel_optimizer.bench.tables import figures, print_findings

        wish = Wish(chosen(configurations), rounds, counts)
        _check_meaning(given, wish)
        baseline = read_result(compare) if compare else None
        check_writable(json_file, page)
        console = make_console()
        results: list[SuiteResult] = []
        stand_in = True

        def so_far() -> Result:
            return new_result(command_line(), results, stand_in=stand_in)

        try:
            with working_folder(work) as place, telling(console) as say:
                for batch in _batches(suite, files, config, most_files, scale, folder, say):
                    stand_in = batch.stand_in
                    results.append(run_batch(batch, wish, place / batch.name, say))
                    save_early(so_far(), json_file)
        except BaseException:  # whatever ends it, the suites that were measured are shown
            if results:
                console.print(figures(so_far()))
            raise
        result = so_far()
        console.print(figures(result))
        worse = False
        if baseline is not None:
            findings = compare_results(baseline, result)
            print_findings(console, findings, str(compare))
            worse = any(item.bad for item in findings)
        write_outputs(result, json_file, page, write_page, console)
        raise typer.Exit(0 if result.same and not worse else 1)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _option(name: str) -> str:
    return "--json" if name == "json_file" else f"--{name.replace('_', '-')}"


def _check_meaning(given: Sequence[str], wish: Wish) -> None:
    """No option is passed over in silence."""
    from digitalmodel_optimizer.plugin import OptimizerError

    if not (wish.rounds or wish.counts):
        raise OptimizerError("--rounds 0 with --no-counts measures nothing")
    if "config" in given:
        for name in ("suite", "scale", "folder"):
            if name in given:
                raise OptimizerError(f"{_option(name)} is for made batches, not for --config")


def _batches(
    suite: str,
    files: Path | None,
    config: Path | None,
    most_files: int | None,
    scale: float,
    folder: Path | None,
    say: Callable[[str], None],
) -> Iterator[Batch]:
    from digitalmodel_optimizer.bench.batches import (
        BenchError,
        default_folder,
        made_batch,
        users_batch,
    )
    from digitalmodel_optimizer.bench.suites import chosen_suites
    from digitalmodel_optimizer.bench.users_files import at_most

    if config is not None:
        yield users_batch(config, files, choose=at_most(most_files))
        return
    if files is not None:
        raise BenchError("--files needs --config: the YAML file that says what to read of them")
    for item in chosen_suites(suite, most_files, scale):
        yield made_batch(item, folder.absolute() if folder else default_folder(), say)
