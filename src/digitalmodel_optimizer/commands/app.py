"""The command line's entry: which commands there are. Each imports what it needs when it runs."""

from __future__ import annotations

import typer

from digitalmodel_optimizer import __version__
from digitalmodel_optimizer.commands import (
    baseline,
    bench,
    cache,
    demo,
    doctor,
    history,
    migrate,
    plan,
    plugins,
    profile,
    report,
    run,
    tuning,
    validate,
    watch,
)

app = typer.Typer(
    name="digitalmodel-optimizer",
    help="Optimizer plugins around digitalmodel's OrcaFlex post-processing.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"digitalmodel-optimizer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


_HOST_COMMAND = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,  # from CONFIG on, everything is the host's, as it is
}
app.command("run", context_settings=_HOST_COMMAND)(run.command)
app.command("plan", context_settings=_HOST_COMMAND)(plan.command)
app.command("validate", context_settings=_HOST_COMMAND)(validate.command)
app.command("baseline", context_settings=_HOST_COMMAND)(baseline.command)
app.command("watch", context_settings=_HOST_COMMAND)(watch.command)
app.command("demo")(demo.command)
app.command("plugins")(plugins.command)
app.command("doctor")(doctor.command)
app.command("migrate")(migrate.command)
app.command("profile")(profile.command)
app.command("report")(report.command)
app.add_typer(history.app, name="history")
app.add_typer(cache.app, name="cache")
app.add_typer(tuning.app, name="tuning")
app.add_typer(bench.app, name="bench")
