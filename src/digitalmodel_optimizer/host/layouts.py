"""What is known of each layout of the host, as data; a third layout is a third description."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Where the seams of one layout of the host are.

    Modules are given by full name. ``opp`` holds the post-process class and, as module
    attributes, the engine's own helpers (``utilities``, ``summary``, ``linked``).
    ``packages`` are the host's own, whose imports may wait (:mod:`~..host.lean_imports`), ``loud``
    those of their modules that print while they are imported, or import one that does.
    ``file_imports`` are what each file needs all the same, so that a worker has it beforehand.
    ``row_tables`` are modules that fill a table a column at a time
    (:mod:`~digitalmodel_optimizer.tables.row_tables`). ``noted_tables`` are functions of
    ``utilities`` that make a table of all files, ``growing_tables`` modules that let a table grow
    row by row (:mod:`~digitalmodel_optimizer.tables.scratch_tables`), in a method of their
    ``statistics_class`` that looks at every column of another table. ``stream_switches`` are
    modules that swap ``sys.stdout`` for as long as a model is being loaded. ``returns_cfg``:
    ``post_process`` returns the configuration that it was given, and not None.

    The loop of later versions has more: a function of ``opp`` that works on one file and returns
    its error (``file_function``), a method that writes down which file failed
    (``failure_method``), a function of ``opp`` that decides on a pool of processes
    (``pool_decision``), a class of ``opp`` that prints how far the loop is (``display``). No
    setting keeps the display quiet. ``master_data`` is the method that lays what columns have in
    common below them, before the loop. A name that a version lacks is passed over.
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
    file_function: str = "process_single_file"
    failure_method: str = "_handle_process_error"
    pool_decision: str = "should_use_parallel"
    display: str = "OutputController"
    master_data: str = "get_cfg_with_master_data"
    global_switches: tuple[str, ...] = ("PandasChainedAssignent",)
    packages: tuple[str, ...] = ("digitalmodel", "assetutilities")
    loud: tuple[str, ...] = ()
    file_imports: tuple[str, ...] = ("pandas",)
    row_tables: tuple[str, ...] = ()
    noted_tables: tuple[str, ...] = ("get_load_matrix_with_filenames",)
    growing_tables: tuple[str, ...] = ("assetutilities.modules.data_exploration.data_exploration",)
    statistics_class: str = "DataExploration"
    statistics_method: str = "get_df_with_basic_statistics"
    stream_switches: tuple[str, ...] = ()
    returns_cfg: bool = False


RELEASED = Layout(
    name="released",
    versions="0.0.9",
    engine="digitalmodel.engine",
    opp="digitalmodel.modules.orcaflex.opp",
    objects_module="digitalmodel.modules.orcaflex.orcaflex_objects",
    row_tables=(
        "digitalmodel.modules.orcaflex.opp_summary",
        "digitalmodel.modules.orcaflex.opp_time_series",
    ),
    loud=(
        "digitalmodel.modules.orcaflex.orcaflex",
        "digitalmodel.modules.orcaflex.orcaflex_analysis",
        "digitalmodel.modules.orcaflex.mooring",
    ),
)

SOURCE_TREE = Layout(
    name="source tree",
    versions="a clone of the repository",
    engine="digitalmodel.engine",
    opp="digitalmodel.solvers.orcaflex.opp",
    objects_module="digitalmodel.solvers.orcaflex.orcaflex_objects",
    row_tables=(
        "digitalmodel.solvers.orcaflex.opp_summary",
        "digitalmodel.solvers.orcaflex.opp_time_series",
    ),
    stream_switches=("digitalmodel.solvers.orcaflex.orcaflex_utilities",),
    returns_cfg=True,
    loud=(
        "digitalmodel.solvers.orcaflex.orcaflex",
        "digitalmodel.solvers.orcaflex.orcaflex_analysis",
        "digitalmodel.solvers.orcaflex.mooring",
        "digitalmodel.solvers.orcaflex.all_vars",
    ),
)

LAYOUTS = (SOURCE_TREE, RELEASED)


def find_layout() -> Layout | None:
    """The layout of the installed host; None if there is no host, or one that we do not know.

    Looks for module files and imports nothing: the current source tree's packages import all of
    OrcaFlex's binding when they are imported themselves.
    """
    return next((layout for layout in LAYOUTS if _stands(layout.opp)), None)


def _stands(module: str) -> bool:
    """Whether there is a file for ``module``, a dotted name."""
    package, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    folders = spec.submodule_search_locations or ()
    return any(Path(folder, *inner).with_suffix(".py").is_file() for folder in folders)


def host_version() -> str | None:
    """The version that the installed digitalmodel distribution states; None without one."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("digitalmodel")
    except PackageNotFoundError:
        return None
