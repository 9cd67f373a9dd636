"""The host's own command, with the time of its loop taken from outside.

    python -m digitalmodel_optimizer.measuring.timed_host TIMES.json -m digitalmodel dm_fsts.yml

does what ``python -m digitalmodel dm_fsts.yml`` does, and leaves the seconds that ``post_process``
took in TIMES.json. The clock is put around whatever the router calls, the engine's own loop or
the plugins', in the same way.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.host.layouts import LAYOUTS, Layout
from digitalmodel_optimizer.host.modules import import_package
from digitalmodel_optimizer.watcher import RUN_VARIABLE

USAGE = "usage: timed_host TIMES.json -m digitalmodel CONFIG [host arguments]"


def run(times: Path, arguments: list[str]) -> None:
    """Run the host with ``arguments`` as its command line; its exit status passes through."""
    os.environ[RUN_VARIABLE] = str(os.getpid())
    sys.argv = ["digitalmodel", *arguments]
    import_package()  # the plugins' seam is set up now, so that the clock is outside
    spans: list[float] = []
    for layout in LAYOUTS:
        wrapt.register_post_import_hook(_clock_for(layout, spans), layout.opp)
    try:
        runpy.run_module("digitalmodel", run_name="__main__", alter_sys=True)
    finally:
        times.write_text(json.dumps({"loop_s": sum(spans) if spans else None}), encoding="utf-8")


def _clock_for(layout: Layout, spans: list[float]) -> Callable[[ModuleType], None]:
    def route(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        post_process = instance.post_process

        def timed(*loop_args: Any, **loop_kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return post_process(*loop_args, **loop_kwargs)
            finally:
                spans.append(time.perf_counter() - start)

        instance.post_process = timed
        try:
            return wrapped(*args, **kwargs)
        finally:
            del instance.post_process

    def clock(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(
            module, f"{layout.post_process_class}.post_process_router", route
        )

    return clock


def main() -> None:
    words = sys.argv[1:]
    if words[3:] == [] or words[1:3] != ["-m", "digitalmodel"]:
        sys.exit(USAGE)
    run(Path(words[0]), words[3:])


if __name__ == "__main__":
    main()
