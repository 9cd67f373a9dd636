"""What happens when the host is imported: its two entrances are wrapped, or nothing is touched.

Under ``python -m digitalmodel`` the command line tells: its configuration is looked at first, and
if it does not enable the plugins, no attribute of the host is touched. In a script or a notebook a
configuration may come later, so two functions get a wrapper that passes through: the host's
``engine()`` and the post-process class's ``post_process()``. With ``DIGITALMODEL_OPTIMIZER=off``
none of this runs.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import wrapt

from digitalmodel_optimizer.config.configuration import Configuration
from digitalmodel_optimizer.config.enabling import is_enabled
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.host.layouts import LAYOUTS, Layout, find_layout, host_version
from digitalmodel_optimizer.host.lean_imports import defer_imports
from digitalmodel_optimizer.host.modules import import_host
from digitalmodel_optimizer.plugin import BatchReport, FilesFailedError, OptimizerError
from digitalmodel_optimizer.report.warning_lines import print_warnings_in_a_line
from digitalmodel_optimizer.startup.command_line import (
    command_line_enables,
    host_arguments,
    host_configuration,
    is_host_command,
)
from digitalmodel_optimizer.streams import replace_missing, say

INTERRUPTED_STATUS = 130
OFF = "plugins are off for this run"
_runs = threading.local()


def host_is_being_imported() -> None:
    """Called once, before ``digitalmodel`` itself is executed.

    :raises SystemExit: plugins were meant to be on, and a mistake leaves them off.
    """
    if is_host_command() and not command_line_enables():
        report_typo()
        return
    wrap_entrances()


def report_typo() -> bool:
    """Whether something was said. Whoever is misunderstood would wait a night to find out.

    :raises SystemExit: plugins were meant to be on, beyond doubt.
    """
    from digitalmodel_optimizer.startup.typos import typo_on_command_line

    typo = typo_on_command_line()
    if typo is None:
        _report_missing_file()
    elif typo.fatal:
        _end(typo.said)
    else:
        say(f"{OFF}: {typo.said}")
    return typo is not None


def _report_missing_file() -> None:
    from digitalmodel_optimizer.startup.no_start import missing_file

    config = Path((host_arguments() or ["."])[0])
    said = None if config.exists() else missing_file(config)
    if said is not None:
        _end(said)


def _report_rivals(configuration: Configuration) -> None:
    """Here and not with the settings: where a block is lost, a batch may never begin."""
    from digitalmodel_optimizer.startup.typos import find_rivals

    rivals = find_rivals(configuration)
    if rivals is not None and rivals.fatal:
        _end(rivals.said)


def _end(said: str) -> NoReturn:
    say(said)
    raise SystemExit(OptimizerError.exit_status)


def wrap_entrances() -> None:
    """Wrap the host's two entrances once they are imported, where its layout is known."""
    layout = find_layout()
    if layout is None:
        _report_unknown_layout()
        return
    if is_host_command():
        print_warnings_in_a_line()
        configuration = host_configuration()
        if configuration is not None:  # and enabled
            _report_rivals(configuration)
            replace_missing()
            defer_imports(layout.packages, layout.loud)
            _prewarm(layout, configuration)
    wrapt.register_post_import_hook(_wrapper_for(layout), layout.opp)
    wrapt.register_post_import_hook(_wrap_engine, layout.engine)


def _prewarm(layout: Layout, configuration: Configuration) -> None:
    """Import now what the batch will need: the start of the process is the place for imports."""
    from digitalmodel_optimizer.startup.prewarm import prewarm

    prewarm(layout, configuration)


def _report_unknown_layout() -> None:
    """Under the host's command; a script that never enables us is not told anything."""
    if is_host_command():
        known = ", ".join(layout.versions for layout in LAYOUTS)
        version = host_version() or "(unknown version)"
        say(f"{OFF}: digitalmodel {version} has an unknown layout; known are {known}")


def _wrapper_for(layout: Layout) -> Any:
    def wrap(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module, f"{layout.post_process_class}.post_process", run)

    def run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        cfg = args[0] if args else kwargs.get("cfg")
        if current() is not None or not is_enabled(cfg):
            return wrapped(*args, **kwargs)
        _runs.began = True
        from digitalmodel_optimizer.batch.entry import run_post_process

        replace_missing()
        began_s = time.perf_counter()
        host = import_host(layout)
        report = run_post_process(host, instance, cfg, began_s, is_command=is_host_command())
        _report_failures(report)
        return cfg if layout.returns_cfg else None

    return wrap


def _report_failures(report: BatchReport) -> None:
    """Now, or when the host has written its last output, if its ``engine()`` is running."""
    if not report.failed and not report.refused:
        return
    if getattr(_runs, "depth", 0):
        _runs.failed = report
    else:
        raise failure(report)


def failure(report: BatchReport) -> FilesFailedError:
    lines = [f"  {item.file.path}: {item.error.message}" for item in report.failed if item.error]
    if lines:
        total = len(report.results)
        lines = [f"{len(lines)} of {total} files failed; all others are saved:", *lines]
    return FilesFailedError("\n".join([*lines, *report.refused]))


def _wrap_engine(module: ModuleType) -> None:
    wrapt.wrap_function_wrapper(module, "engine", _run_engine)


def _run_engine(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    _runs.depth = getattr(_runs, "depth", 0) + 1
    _runs.failed = None
    _runs.began = False
    try:
        result = wrapped(*args, **kwargs)
        if _runs.failed is not None:
            raise failure(_runs.failed)
        return result
    except OptimizerError as error:
        if not is_host_command():
            raise
        say(str(error))
        raise SystemExit(error.exit_status) from None
    except Exception:
        said = _why_no_start()
        if said is None:
            raise
        _end(said)
    except KeyboardInterrupt:
        if not is_host_command():
            raise
        say("interrupted")
        raise SystemExit(INTERRUPTED_STATUS) from None
    finally:
        _runs.depth -= 1
        _runs.failed = None


def _why_no_start() -> str | None:
    """What the user can do about a host that has failed; None if there is nothing to say."""
    if _runs.began or not is_host_command():
        return None
    from digitalmodel_optimizer.startup.no_start import why_no_start

    return why_no_start(host_arguments())
