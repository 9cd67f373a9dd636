"""batch-grouping: files of one size class share an allocation, and long files start first.

With the longest first, the last file to end is a short one, so no worker waits long for it
(Graham's longest-processing-time rule: at most a third above the best possible schedule; a file's
size stands for its time). Groups say which files are alike; there is no barrier between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from digitalmodel_optimizer.plugin import (
    Group,
    Option,
    PluginOptions,
    Settings,
    SettingsError,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer_plugins.size_classes import (
    bounds_text,
    class_index,
    class_label,
    parse_bounds,
)

NAME = "batch-grouping"

# How files compare in each order; ties are always broken by the engine's own order.
_START_ORDERS: dict[str, Callable[[SimulationFile], tuple[int, int]]] = {
    "longest_first": lambda file: (-file.size_bytes, file.index),
    "engine": lambda file: (0, file.index),
    "shortest_first": lambda file: (file.size_bytes, file.index),
}

OPTIONS = (
    Option(
        "size_bounds_mb",
        str,
        bounds_text(),
        "Sizes at which a new group begins, rising, separated by commas; empty for one group.",
        unit="MB",
    ),
    Option(
        "order",
        str,
        "longest_first",
        "Which files start first; engine: as the engine lists them, size class by size class.",
        choices=tuple(_START_ORDERS),
    ),
)


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions("Groups files by size class and starts the longest first.", OPTIONS)


@hookimpl
def optimizer_configure(settings: Settings) -> None:
    _bounds(settings)


@hookimpl
def optimizer_group_files(files: Sequence[SimulationFile], settings: Settings) -> list[Group]:
    """One group per size class that occurs, each in start order.

    Missing and empty files have size 0: they cost next to nothing, so they belong to the smallest
    class and start last with the longest first, first with the shortest first.
    """
    bounds = _bounds(settings)
    start_order = _START_ORDERS[settings.plugin(NAME)["order"]]
    classes: dict[int, list[SimulationFile]] = defaultdict(list)
    # Groups come out in the order of their first file, so one sort settles both orders.
    for file in sorted(files, key=start_order):
        classes[class_index(file.size_mb, bounds)].append(file)
    return [Group(class_label(index, bounds), tuple(alike)) for index, alike in classes.items()]


def _bounds(settings: Settings) -> tuple[float, ...]:
    text = settings.plugin(NAME)["size_bounds_mb"]
    try:
        return parse_bounds(text)
    except ValueError as fault:
        key = f"orcaflex.parallel.plugins.{NAME}.size_bounds_mb"
        raise SettingsError([f"{key} {fault}"], settings.source) from None
