"""``digitalmodel-optimizer migrate``: worker settings of old files, every other byte kept."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from digitalmodel_optimizer_migration import Done, Request, Tally

_USAGE_STATUS = 2
_INTERRUPTED_STATUS = 130
_MB = 1_000_000


class Format(str, Enum):
    """How findings are printed."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Files and folders.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the files.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would change, without a diff.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print a patch; so it is without --write or --check.")
    ] = False,
    backup: Annotated[
        bool, typer.Option("--backup", help="Keep each changed file as it was, as NAME.bak.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="How to print findings.")] = Format.text,
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Only this rule; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Not this rule; may be repeated.")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another new value; may be repeated."),
    ] = None,
    also: Annotated[
        list[int] | None,
        typer.Option(metavar="NUMBER", help="Rewrite this old number too; may be repeated."),
    ] = None,
    enable_plugins: Annotated[
        bool,
        typer.Option("--enable-plugins", help="Add the enabling block to post-process files."),
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only files like this, as in .gitignore."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="No files or folders like this."),
    ] = None,
    repos_from: Annotated[
        Path | None,
        typer.Option("--repos-from", metavar="FILE", help="Repositories, one folder a line."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Note finished repositories; go on where it stopped."),
    ] = None,
    commit: Annotated[
        bool, typer.Option("--commit", help="With --write: one commit a repository.")
    ] = False,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The message of --commit.")
    ] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Write beside uncommitted changes.")
    ] = False,
    max_size: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Skip larger files.")
    ] = 16.0,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=0, max=61, help="Processes that parse; 0 chooses.")
    ] = 0,
    list_rules: Annotated[
        bool, typer.Option("--list-rules", help="List the rules and end.")
    ] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="RULE", help="Explain a rule and end.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write dm_fsts.yml or dm_fsts_lngc.yml and end."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the patch, or the template.")
    ] = None,
) -> None:
    """Find worker settings of the old kind, show or make the change, keep every other byte.

    Without --write or --check it prints a patch that `git apply` takes. Exit status: 0 nothing to
    do or done, 1 something would change, 2 wrong usage or a failure, 3 something was refused.
    """
    from digitalmodel_optimizer_migration import (
        Choice,
        Filters,
        MigrationError,
        Request,
        chosen,
        set_values,
    )
    from digitalmodel_optimizer_migration.repositories import MESSAGE
    from digitalmodel_optimizer_migration.rules import ENABLE_PLUGINS

    try:
        if list_rules or explain or template:
            _tell(explain, template, output)
            return
        _hold_usage(
            {
                "PATH or --repos-from FILE is needed": not paths and repos_from is None,
                "PATH and --repos-from do not go together": bool(paths) and repos_from is not None,
                "--write and --check do not go together": write and check,
                "--commit, --backup and --allow-dirty need --write": not write
                and (commit or backup or allow_dirty),
                "--message needs --commit": message is not None and not commit,
                "--journal needs --repos-from": journal is not None and repos_from is None,
                "--output is for a patch, or needs --template": output is not None
                and (form is not Format.text or ((write or check) and not diff)),
                "--diff goes with --format text": diff and form is not Format.text,
                "--max-size takes a number of megabytes": not math.isfinite(max_size),
            }
        )
        names = chosen(only or (), skip or ())
        if enable_plugins and ENABLE_PLUGINS not in names:
            names = (*names, ENABLE_PLUGINS)
        request = Request(
            choice=Choice(names, set_values(assign or ()), tuple(also or ()), int(max_size * _MB)),
            filters=Filters(tuple(include or ()), tuple(exclude or ())),
            write=write,
            backup=backup,
            commit=commit,
            message=message or MESSAGE,
            allow_dirty=allow_dirty,
            jobs=jobs,
        )
        show_diff = form is Format.text and (diff or not (write or check))
        with _patch_to(output) as patch:
            status = _run(paths or [], repos_from, journal, request, form, show_diff, patch)
    except MigrationError as error:
        _say(str(error))
        raise typer.Exit(_USAGE_STATUS) from None
    except BrokenPipeError:
        raise
    except OSError as error:  # standard output is full, above all
        _say(f"stopped: {error.strerror or error}")
        raise typer.Exit(_USAGE_STATUS) from None
    except KeyboardInterrupt:
        _say("interrupted; files are as they were or as they shall be, the same command goes on")
        raise typer.Exit(_INTERRUPTED_STATUS) from None
    raise typer.Exit(status)


def _hold_usage(faults: dict[str, bool]) -> None:
    from digitalmodel_optimizer_migration import MigrationError

    found = [fault for fault, so in faults.items() if so]
    if found:
        raise MigrationError("; ".join(found))


def _run(
    paths: list[str],
    repos_from: Path | None,
    journal: Path | None,
    request: Request,
    form: Format,
    show_diff: bool,
    patch: BinaryIO | None,
) -> int:
    from digitalmodel_optimizer_migration import (
        Tally,
        migrate,
        migrate_repositories,
        read_repositories,
    )

    tally = Tally()
    if repos_from is None:
        results = migrate(paths, request, tally)
    else:
        listed = read_repositories(str(repos_from))
        results = migrate_repositories(listed, request, tally, str(journal) if journal else None)
    if form is Format.text:
        _print_text(results, tally, request.write, show_diff, patch)
    elif form is Format.github:
        _print_github(results, tally, request.write)
    else:
        _print_json(results, tally, form)
    return tally.exit_status


@contextlib.contextmanager
def _patch_to(output: Path | None) -> Iterator[BinaryIO | None]:
    """A file for the patch; None for standard output.

    What Windows PowerShell's ``>`` makes of a patch is UTF-16, which git does not take.
    """
    if output is None:
        yield None
        return
    with output.open("wb") as stream:
        yield stream


def _print_text(
    results: Iterator[Done], tally: Tally, written: bool, show_diff: bool, patch: BinaryIO | None
) -> None:
    """Findings, and the patch alone on standard output if it does not go to a file."""
    from rich.console import Console

    from digitalmodel_optimizer_migration.patch import header
    from digitalmodel_optimizer_migration.report_text import (
        finding_lines,
        summary_lines,
        summary_table,
    )

    for done in results:
        if show_diff and done.plan.diff:
            _write_bytes(header(done.patched) + done.plan.diff, patch)
        for line in finding_lines(done):
            typer.echo(line, err=show_diff and patch is None)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    table = summary_table(tally)
    if table is not None:
        console.print(table)
    for line in summary_lines(tally, written=written):
        typer.echo(line, err=True)


def _print_github(results: Iterator[Done], tally: Tally, written: bool) -> None:
    from digitalmodel_optimizer_migration.report_machine import as_github
    from digitalmodel_optimizer_migration.report_text import summary_lines

    for done in results:
        for line in as_github(done):
            typer.echo(line)
    for line in summary_lines(tally, written=written):
        typer.echo(line, err=True)


def _print_json(results: Iterator[Done], tally: Tally, form: Format) -> None:
    from digitalmodel_optimizer import __version__
    from digitalmodel_optimizer_migration.report_machine import as_json, as_sarif

    first = next(results, None)  # what is wrong from the start is said before anything is printed
    found = () if first is None else chain([first], results)
    sarif = form is Format.sarif
    for text in as_sarif(found, tally, __version__) if sarif else as_json(found, tally):
        typer.echo(text, nl=False)


def _write_bytes(content: bytes, patch: BinaryIO | None) -> None:
    if patch is not None:
        patch.write(content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _tell(explain: str | None, name: str | None, output: Path | None) -> None:
    """Answer a question about rules, or write a template."""
    from digitalmodel_optimizer_migration import rule_named, write_template

    if name is not None:
        path = str(output or name)
        write_template(name, path)
        _say(f"wrote {path}")
    elif explain is not None:
        _explain(rule_named(explain).name)
    else:
        _list_rules()


def _list_rules() -> None:
    from digitalmodel_optimizer_migration import RULES

    width = max(len(rule.name) for rule in RULES)
    for rule in RULES:
        typer.echo(f"{rule.name:<{width}}  {rule.summary}")


def _explain(name: str) -> None:
    from digitalmodel_optimizer_migration import rule_named

    rule = rule_named(name)
    typer.echo(f"{rule.name}: {rule.summary}\n")
    for title, text in rule.described():
        typer.echo(f"{title + ':':<10} {text}")


def _say(text: str) -> None:
    typer.echo(f"digitalmodel-optimizer: {text}", err=True)
