"""A round: the user's own command in a process of its own, with the files that have settled.

The first line of standard input is the job as JSON. When standard input ends the round is
interrupted, as by Ctrl-C, so it ends with whoever has started it, however that ends.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from collections.abc import Collection
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer import watcher
from digitalmodel_optimizer.config.configuration import look_up
from digitalmodel_optimizer.config.enabling import BLOCK
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.current import current
from digitalmodel_optimizer.host.layouts import Layout, find_layout
from digitalmodel_optimizer.host.modules import run_engine
from digitalmodel_optimizer.startup.activation import wrap_entrances
from digitalmodel_optimizer.startup.command_line import be_host_command

_CACHE = "cache"


def main() -> None:
    job = json.loads(_first_line())
    threading.Thread(target=_interrupt_at_end, name="optimizer-lifeline", daemon=True).start()
    watcher.stop_watching()
    be_host_command(job["arguments"])
    wrap_entrances()
    layout = find_layout()
    assert layout is not None  # or the plan has said that plugins are off
    take_only(layout, frozenset(job["files"]))
    run_engine()


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit("no job")
        line += byte
    return line


def _interrupt_at_end() -> None:
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # it ends a wait in the main thread, too


def take_only(layout: Layout, paths: Collection[str]) -> None:
    """Leave all but ``paths`` out of the batch, and keep its results from round to round.

    To be called after the entrances are wrapped, so that they are given fewer files.
    """

    def wrap(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module, f"{layout.post_process_class}.post_process", run)

    def run(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        cfg = args[0] if args else kwargs.get("cfg")
        if current() is not None:
            return wrapped(*args, **kwargs)
        config, block = HostConfig(cfg), look_up(cfg, BLOCK)
        listed, given = config.files, {**block}
        config.files = [name for name in listed if str(name) in paths]
        block[_CACHE] = True
        try:
            return wrapped(*args, **kwargs)
        finally:  # the host writes down its configuration at the end
            block.clear()
            block.update(given)
            config.files = listed

    wrapt.register_post_import_hook(wrap, layout.opp)


if __name__ == "__main__":
    main()
