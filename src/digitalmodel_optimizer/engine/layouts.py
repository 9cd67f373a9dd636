"""What is known of each layout of the host, as data; a third layout is a third description."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """Where the seams of one layout of the host are.

    Modules are given by full name. ``opp`` holds the post-process class and, as module
    attributes, the engine's own helpers (``utilities``, ``summary``, ``linked``).
    ``failure_method`` is the method that the engine calls for a file which failed, in layouts
    whose loop swallows errors. ``one_file`` are settings that make ``post_process`` run its one
    file in this process and without a display of its own, as key path -> value.
    ``unused_imports`` are modules that the post-process path imports and never uses; a worker
    does without them until somebody asks (their import is half of a worker's start).
    ``row_tables`` are modules that fill a one-row table a column at a time
    (:mod:`~digitalmodel_optimizer.engine.row_tables`).
    """

    name: str
    versions: str
    engine: str
    opp: str
    post_process_class: str = "OrcaFlexPostProcess"
    utilities: str = "ou"
    summary: str = "opp_summary"
    linked: str = "opp_ls"
    objects_module: str = ""
    objects_class: str = "OrcaFlexObjects"
    failure_method: str | None = None
    one_file: Mapping[tuple[str, ...], object] = field(default_factory=dict)
    global_switches: tuple[str, ...] = ("PandasChainedAssignent",)
    unused_imports: tuple[str, ...] = ()
    row_tables: tuple[str, ...] = ()


RELEASED = Layout(
    name="released",
    versions="0.0.9",
    engine="digitalmodel.engine",
    opp="digitalmodel.modules.orcaflex.opp",
    objects_module="digitalmodel.modules.orcaflex.orcaflex_objects",
    row_tables=("digitalmodel.modules.orcaflex.opp_summary",),
    unused_imports=(
        "digitalmodel.modules.time_series.time_series_components",
        "digitalmodel.common.ETL_components",
    ),
)

SOURCE_TREE = Layout(
    name="source tree",
    versions="a clone of the repository",
    engine="digitalmodel.engine",
    opp="digitalmodel.solvers.orcaflex.opp",
    objects_module="digitalmodel.solvers.orcaflex.orcaflex_objects",
    failure_method="_handle_process_error",
    one_file={
        ("parallel_processing", "enabled"): False,
        ("parallel_processing", "auto_optimize"): False,
        ("output_control", "level"): "QUIET",
    },
)

LAYOUTS = (SOURCE_TREE, RELEASED)


def find_layout() -> Layout | None:
    """The layout of the installed host; None if there is no host, or one that we do not know.

    Looks for module files, and imports no more of the host than the parents of these modules.
    """
    for layout in LAYOUTS:
        try:
            if importlib.util.find_spec(layout.opp) is not None:
                return layout
        except (ImportError, AttributeError, ValueError):
            continue
    return None


def host_version() -> str | None:
    """The version that the installed digitalmodel distribution states; None without one."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("digitalmodel")
    except PackageNotFoundError:
        return None
