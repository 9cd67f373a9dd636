"""Plain joblib around the engine's own loop, one task a file: what many people write themselves.

    python -m digitalmodel_optimizer.bench.plain_joblib WORKERS TIMES.json -m digitalmodel CONFIG

runs the host as ever, its loop alone replaced: ``joblib.Parallel`` sends each file with the whole
configuration to a worker process, which runs the engine's own ``post_process`` on it; the results
are put together by the engine's own functions, and saved by them. Nothing else of this project
takes part, so this is the baseline that the plugins have to beat.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from digitalmodel_optimizer.host.layouts import LAYOUTS, Layout
from digitalmodel_optimizer.host.modules import Host, import_host
from digitalmodel_optimizer.measuring import timed_host

_engines_loops: dict[Layout, Callable[[Any, Any], None]] = {}
"""In the process whose loop is replaced, the engine's own: with one job joblib works there."""


def process_file(layout: Layout, cfg: Any, first: bool) -> dict[str, Any]:
    """The engine's ``post_process`` on a ``cfg`` of one file; its tables instead of saving them."""
    host = import_host(layout)
    process_class: Any = host.post_process_class
    loop = _engines_loops.get(layout, process_class.post_process)
    cfg = type(cfg)(cfg)  # the engine's own mapping loses its attributes when it is pickled
    basename = cfg["meta"]["basename"]
    cfg[basename] = {} if first else {"time_series": []}
    with _kept_tables(host) as tables:
        loop(process_class(), cfg)
    # What the first file leaves in the configuration is what the engine's loop would save.
    return {**tables, "records": cfg[basename], "cfg": cfg if first else None}


@contextmanager
def _kept_tables(host: Host) -> Iterator[dict[str, Any]]:
    """What the engine would save, kept instead, while the block runs."""
    tables: dict[str, Any] = {}
    saving = (("summary", "save_summary"), ("linked", "save_linked_statistics"))
    for part, name in saving:
        setattr(getattr(host, part), name, _keep(tables, part))
    try:
        yield tables
    finally:
        for part, name in saving:
            delattr(getattr(host, part), name)


def _keep(tables: dict[str, Any], part: str) -> Callable[..., None]:
    def keep(table: Any, _cfg: Any) -> None:
        tables[part] = table

    return keep


def replace_loop(layout: Layout, workers: int) -> None:
    """Let the engine's ``post_process`` of this process be a joblib loop over its files."""

    def in_place(module: ModuleType) -> None:
        engine = getattr(module, layout.post_process_class)
        _engines_loops[layout] = engine.post_process
        engine.post_process = lambda _self, cfg: _post_process(layout, cfg, workers)

    wrapt.register_post_import_hook(in_place, layout.opp)


def _post_process(layout: Layout, cfg: Any, workers: int) -> None:
    from joblib import Parallel, delayed

    names = cfg["file_management"]["input_files"]["sim"]
    parts = Parallel(n_jobs=workers, backend="loky")(
        delayed(process_file)(layout, _of_one_file(cfg, name), place == 0)
        for place, name in enumerate(names)
    )
    host: Host = import_host(layout)
    first = parts[0]["cfg"]
    first["file_management"]["input_files"]["sim"] = names
    cfg.update(first)
    basename = cfg["meta"]["basename"]
    summary = linked = None
    for place, part in enumerate(parts):
        if part.get("summary"):
            summary = host.summary.add_file_result_to_all_results(summary, part["summary"])
        if part.get("linked"):
            linked = host.linked.add_file_result_to_all_results(linked, part["linked"])
        if place:
            cfg[basename].setdefault("time_series", []).extend(part["records"]["time_series"])
    host.summary.save_summary(summary, cfg)
    host.linked.save_linked_statistics(linked, cfg)


def _of_one_file(cfg: Any, name: Any) -> Any:
    managed = cfg["file_management"]
    files = {**managed["input_files"], "sim": [name]}
    return type(cfg)({**cfg, "file_management": {**managed, "input_files": files}})


def main() -> None:
    workers, times = int(sys.argv[1]), Path(sys.argv[2])
    for layout in LAYOUTS:
        replace_loop(layout, workers)
    timed_host.run(times, sys.argv[5:])


if __name__ == "__main__":
    # The functions that workers get are those of the importable module, not of __main__.
    import_module("digitalmodel_optimizer.bench.plain_joblib").main()
