"""``digitalmodel-optimizer bench scaling`` and ``bench memory``: how much of what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    """Measure what work costs here, check a model of the machine by it, plan a large machine."""
    with reporting_errors():
        from digitalmodel_optimizer.bench.batches import default_folder
        from digitalmodel_optimizer.bench.running import working_folder
        from digitalmodel_optimizer.bench.scaling import (
            measure,
            read_measured,
            runs_alone,
            study_scaling,
        )
        from digitalmodel_optimizer.bench.scaling_tables import scaling_figures
        from digitalmodel_optimizer.bench.study_pages import write_scaling_page

        speeds = _numbers("--disk", disk)
        check_writable(json_file, page)
        console = make_console()
        kept = folder.absolute() if folder else default_folder()
        command = command_line()
        if runs is None:
            demand_host()
        with working_folder(None) as work, telling(console) as say:
            measured = (
                read_measured(runs, command) if runs else measure(command, kept, work, say, rounds)
            )
            save_early(runs_alone(measured), json_file if runs is None else None)
            result = study_scaling(measured, say, cores, 1000.0 * memory, speeds, grid=grid)
        console.print(scaling_figures(result))
        write_outputs(result, json_file, page, write_scaling_page, console)


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
        from digitalmodel_optimizer.bench.running import working_folder
        from digitalmodel_optimizer.bench.study_pages import write_memory_page
        from digitalmodel_optimizer.plugin import OptimizerError

        sizes_mb, numbers = _numbers("--sizes", sizes), _whole_numbers("--workers", workers)
        if not (sizes_mb and numbers) and not budget and not growth:
            raise OptimizerError("no sizes, no budget and no growth: there is nothing to measure")
        check_writable(json_file, page)
        console = make_console()
        kept = folder.absolute() if folder else default_folder()
        with working_folder(None) as work, telling(console) as say:
            for result in study_memory(
                command_line(), kept, work, say, sizes_mb, numbers, budget, growth
            ):
                save_early(result, json_file)
        console.print(memory_figures(result))
        write_outputs(result, json_file, page, write_memory_page, console)
        raise typer.Exit(0 if result.sound else 1)


def _numbers(option: str, text: str) -> list[float]:
    """Positive numbers in ``text``; none in an empty one."""
    from digitalmodel_optimizer.plugin import OptimizerError

    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = [0.0]
    if min(numbers, default=1.0) <= 0:
        raise OptimizerError(f"{option} takes numbers above 0, separated by commas, not {text!r}")
    return numbers


def _whole_numbers(option: str, text: str) -> list[int]:
    from digitalmodel_optimizer.plugin import OptimizerError

    numbers = _numbers(option, text)
    if any(not number.is_integer() for number in numbers):
        raise OptimizerError(f"{option} takes whole numbers, separated by commas, not {text!r}")
    return [int(number) for number in numbers]
