"""``digitalmodel-optimizer bench``: what the plugins are worth here, and on your files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digitalmodel_optimizer.commands.host_needed import demand_host

if TYPE_CHECKING:
    from rich.console import Console

    from digitalmodel_optimizer.bench.batches import Batch
    from digitalmodel_optimizer.bench.results import Result, SuiteResult

app = typer.Typer(rich_markup_mode="markdown", add_completion=False)
_INTERRUPTED_STATUS = 130

FolderOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep made batches here instead of in the cache folder."),
]
WorkOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write outputs here and leave them there."),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result there as JSON.")
]
PageOption = Annotated[
    Path | None,
    typer.Option("--page", metavar="FILE", help="Write a page with plots there (needs plotly)."),
]


@app.callback(invoke_without_command=True)
def command(
    context: typer.Context,
    suite: Annotated[
        str, typer.Option(help="Made batches: small, large, mixed, single, wide, objects, guard.")
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
        int | None, typer.Option(min=1, help="At most so many files of each suite.")
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
    work: WorkOption = None,
) -> None:
    """Run batches in named ways, side by side, and compare times, memory, calls and every byte.

    Runs `python -m digitalmodel`; made batches need neither OrcaFlex nor a licence. Ends with
    status 1 if an output differs, or if something is worse than the baseline.
    """
    if context.invoked_subcommand is not None:
        return
    with reporting_errors():
        demand_host()
        from digitalmodel_optimizer.bench.comparing import compare_results
        from digitalmodel_optimizer.bench.configurations import chosen
        from digitalmodel_optimizer.bench.results import new_result, read_result, write_result
        from digitalmodel_optimizer.bench.rounds import Wish, run_batch
        from digitalmodel_optimizer.bench.running import working_folder
        from digitalmodel_optimizer.bench.tables import figures, print_findings

        wish = Wish(chosen(configurations), rounds, counts)
        baseline = read_result(compare) if compare else None
        _check_page(page)
        console = make_console()
        results: list[SuiteResult] = []
        stand_in = True

        def so_far() -> Result:
            return new_result(command_line(), results, stand_in=stand_in)

        with working_folder(work) as place, telling(console) as say:
            for batch in _batches(suite, files, config, most_files, scale, folder, say):
                stand_in = batch.stand_in
                results.append(run_batch(batch, wish, place / batch.name, say))
                if json_file is not None:  # what took an hour is not lost with the next suite
                    write_result(so_far(), json_file)
        result = so_far()
        console.print(figures(result))
        _write(result, json_file, page, console)
        worse = False
        if baseline is not None:
            findings = compare_results(baseline, result)
            print_findings(console, findings, str(compare))
            worse = any(item.bad for item in findings)
        raise typer.Exit(0 if result.same and not worse else 1)


@app.command("scaling")
def scaling(
    cores: Annotated[int, typer.Option(min=1, help="Logical CPUs of the planned machine.")] = 64,
    memory: Annotated[float, typer.Option(min=1.0, metavar="GB", help="Its memory.")] = 256.0,
    disk: Annotated[
        str, typer.Option(metavar="MB/S", help="Speeds of its disk, separated by commas.")
    ] = "500,3000",
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds of real runs; their medians count.")
    ] = 5,
    grid: Annotated[
        bool, typer.Option(help="Also plan some hundred batches, and judge the plugins by them.")
    ] = False,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the real runs of an earlier --json."),
    ] = None,
    json_file: JsonOption = None,
    page: PageOption = None,
    folder: FolderOption = None,
) -> None:
    """Measure what work costs here, check a model of the machine by it, plan a large machine.

    Needs simpy: `pip install digitalmodel-optimizer[bench]`.
    """
    with reporting_errors():
        demand_host()
        from digitalmodel_optimizer.bench.batches import default_folder
        from digitalmodel_optimizer.bench.results import write_result
        from digitalmodel_optimizer.bench.running import working_folder
        from digitalmodel_optimizer.bench.scaling import measure, read_measured, study_scaling
        from digitalmodel_optimizer.bench.scaling_tables import scaling_figures

        speeds = _numbers("--disk", disk)
        _check_page(page)
        console = make_console()
        kept = folder.absolute() if folder else default_folder()
        with working_folder(None) as work, telling(console) as say:
            command = command_line()
            measured = (
                read_measured(runs, command) if runs else measure(command, kept, work, say, rounds)
            )
            result = study_scaling(measured, say, cores, 1000.0 * memory, speeds, grid=grid)
        console.print(scaling_figures(result))
        if json_file is not None:
            write_result(result, json_file)
            console.print(f"written: {json_file}", soft_wrap=True)
        if page is not None:
            from digitalmodel_optimizer.bench.study_pages import write_scaling_page

            write_scaling_page(result, page)
            console.print(f"written: {page}", soft_wrap=True)


@app.command("memory")
def memory(
    sizes: Annotated[
        str, typer.Option(metavar="MB", help="File sizes, separated by commas; empty for none.")
    ] = "4,40,150,400",
    workers: Annotated[
        str, typer.Option(help="Numbers of workers, separated by commas.")
    ] = "1,2,4",
    budget: Annotated[bool, typer.Option(help="Run a batch under too small a budget.")] = True,
    growth: Annotated[
        int, typer.Option(min=0, help="So many tiny files in one worker; 0 for none.")
    ] = 0,
    json_file: JsonOption = None,
    page: PageOption = None,
    folder: FolderOption = None,
) -> None:
    """Measure peaks over file size and workers, a tight budget, growth over many files."""
    with reporting_errors():
        demand_host()
        from digitalmodel_optimizer.bench.batches import default_folder
        from digitalmodel_optimizer.bench.memory import study_memory
        from digitalmodel_optimizer.bench.memory_tables import memory_figures
        from digitalmodel_optimizer.bench.results import write_result
        from digitalmodel_optimizer.bench.running import working_folder

        wanted = _numbers("--sizes", sizes), [int(n) for n in _numbers("--workers", workers)]
        _check_page(page)
        console = make_console()
        kept = folder.absolute() if folder else default_folder()
        with working_folder(None) as work, telling(console) as say:
            result = study_memory(command_line(), kept, work, say, *wanted, budget, growth)
        console.print(memory_figures(result))
        if json_file is not None:
            write_result(result, json_file)
            console.print(f"written: {json_file}", soft_wrap=True)
        if page is not None:
            from digitalmodel_optimizer.bench.study_pages import write_memory_page

            write_memory_page(result, page)
            console.print(f"written: {page}", soft_wrap=True)
        raise typer.Exit(0 if result.sound else 1)


def _numbers(option: str, text: str) -> list[float]:
    """Positive numbers in ``text``; none in an empty one."""
    from digitalmodel_optimizer.contract import OptimizerError

    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = [0.0]
    if min(numbers, default=1.0) <= 0:
        raise OptimizerError(f"{option} takes numbers above 0, separated by commas, not {text!r}")
    return numbers


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

    if config is not None:
        yield users_batch(config, files)
        return
    if files is not None:
        raise BenchError("--files needs --config: the YAML file that says what to read of them")
    for item in chosen_suites(suite, most_files, scale):
        yield made_batch(item, folder.absolute() if folder else default_folder(), say)


def _check_page(page: Path | None) -> None:
    """Whether the page can be written is known before the first run, not after an hour."""
    if page is not None:
        from digitalmodel_optimizer.bench.page import plotly_io

        plotly_io()


def _write(result: Result, json_file: Path | None, page: Path | None, console: Console) -> None:
    from digitalmodel_optimizer.bench.results import write_result

    if json_file is not None:
        write_result(result, json_file)
        console.print(f"written: {json_file}", soft_wrap=True)
    if page is not None:
        from digitalmodel_optimizer.bench.page import write_page

        write_page(result, page)
        console.print(f"written: {page}", soft_wrap=True)


def command_line() -> str:
    """The command as it was typed."""
    import shlex

    return shlex.join(["digitalmodel-optimizer", *sys.argv[1:]])


def make_console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@contextmanager
def telling(console: Console) -> Iterator[Callable[[str], None]]:
    """Something to say what is being done now with: a spinner, or nothing where nobody looks."""
    with console.status("", spinner="line") as status:
        yield status.update


@contextmanager
def reporting_errors() -> Iterator[None]:
    """One line and a status for errors that are written for the person who typed the command."""
    from digitalmodel_optimizer.contract import OptimizerError

    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(_INTERRUPTED_STATUS) from None
    except OptimizerError as error:
        typer.echo(f"digitalmodel-optimizer: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
