"""Standing aside or standing in: what happens when the host is imported.

Nothing of the host is changed unless this process can be meant. Under ``python -m digitalmodel``
the command line tells: its configuration is looked at first, and if it does not enable us, no
attribute of the host is touched. In a script or a notebook a configuration may come later, so two
functions get a wrapper that passes through: the engine's ``engine()`` and the post-process
class's ``post_process()``. With ``DIGITALMODEL_OPTIMIZER=off`` none of this runs.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.config.settings import is_enabled
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.host.layouts import LAYOUTS, Layout, find_layout, host_version
from digitalmodel_optimizer.host.modules import import_host
from digitalmodel_optimizer.plugin import BatchReport, FilesFailedError, OptimizerError
from digitalmodel_optimizer.report.warning_lines import print_warnings_in_a_line
from digitalmodel_optimizer.startup.command_line import command_line_enables, is_host_command

INTERRUPTED_STATUS = 130
_runs = threading.local()


def host_is_being_imported() -> None:
    """Called once, before ``digitalmodel`` itself is executed."""
    command = is_host_command()
    if command and not command_line_enables():
        _tell_of_a_slip()
        return
    stand_in()


def _tell_of_a_slip() -> None:
    """Whoever misspelled the key that enables us would wait a night to find out."""
    from digitalmodel_optimizer.startup.typos import slip_on_the_command_line

    slip = slip_on_the_command_line()
    if slip is not None and sys.stderr is not None:
        print(f"digitalmodel-optimizer: the engine runs untouched: {slip}", file=sys.stderr)


def stand_in() -> None:
    """Arrange for the seams of the installed layout, where it is one that we know."""
    layout = find_layout()
    if layout is None:
        _say_that_we_stand_aside()
        return
    if is_host_command():
        print_warnings_in_a_line()
        _get_ready(layout)
    wrapt.register_post_import_hook(_wrapper_for(layout), layout.opp)
    wrapt.register_post_import_hook(_wrap_engine, layout.engine)


def _get_ready(layout: Layout) -> None:
    """Import now what the batch will need: the start of the process is the place for imports."""
    from digitalmodel_optimizer.startup.prewarm import get_ready

    get_ready(layout)


def _say_that_we_stand_aside() -> None:
    """Under the host's command; a script that never enables us is not told anything."""
    if is_host_command():
        known = ", ".join(layout.versions for layout in LAYOUTS)
        print(
            f"digitalmodel-optimizer: digitalmodel {host_version() or '(unknown version)'} is not "
            f"a layout that it knows ({known}); the engine runs untouched",
            file=sys.stderr,
        )


def _wrapper_for(layout: Layout) -> Any:
    def wrap(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module, f"{layout.post_process_class}.post_process", run)

    def run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        cfg = args[0] if args else kwargs.get("cfg")
        if current() is not None or not is_enabled(cfg):
            return wrapped(*args, **kwargs)
        from digitalmodel_optimizer.batch.entry import run_post_process

        report = run_post_process(import_host(layout), instance, cfg)
        _tell_failures(report)
        return None

    return wrap


def _tell_failures(report: BatchReport) -> None:
    """Now, or when the engine has written its last output, if it is running above us."""
    if not report.failed:
        return
    if getattr(_runs, "depth", 0):
        _runs.failed = report
    else:
        raise failure(report)


def failure(report: BatchReport) -> FilesFailedError:
    lines = [
        f"{len(report.failed)} of {len(report.results)} files failed; all others are saved:",
        *(f"  {item.file.path}: {item.error.message}" for item in report.failed if item.error),
    ]
    return FilesFailedError("\n".join(lines))


def _wrap_engine(module: ModuleType) -> None:
    wrapt.wrap_function_wrapper(module, "engine", _run_engine)


def _run_engine(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    _runs.depth = getattr(_runs, "depth", 0) + 1
    _runs.failed = None
    try:
        result = wrapped(*args, **kwargs)
        if _runs.failed is not None:
            raise failure(_runs.failed)
        return result
    except OptimizerError as error:
        if not is_host_command():
            raise
        print(f"digitalmodel-optimizer: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        if not is_host_command():
            raise
        print("digitalmodel-optimizer: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED_STATUS) from None
    finally:
        _runs.depth -= 1
        _runs.failed = None
