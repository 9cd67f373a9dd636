"""The configuration as the host will hand it to its loop, without running the host.

Before its loop the host merges configurations, names its folders and outputs, and lists the input
files; on the way it makes folders and a log. This is what comes of that, by the host's rules, and
nothing is made. What the host reads of the models before its loop is not in it.
"""

from __future__ import annotations

import copy
import os
import time
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.configuration import Configuration
from digitalmodel_optimizer.config.places import source_file
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.host.modules import Host
from digitalmodel_optimizer.plugin import OptimizerError

_RESULTS = "results"
_TIME_IN_NAMES = "%Y%m%d_%Hh%Mm"


class _Attributes(dict[Any, Any]):
    """The host's dictionary: its items are its attributes as well."""

    def __init__(self, content: dict[Any, Any]) -> None:
        super().__init__(content)
        self.__dict__ = self


def preview(configuration: Configuration) -> Any:
    """The ``cfg`` of the host's loop, which may be changed.

    :raises OptimizerError: the host would not come to its loop; the text says why.
    """
    cfg = _Attributes(copy.deepcopy(configuration.merged))
    config = HostConfig(cfg)
    try:
        _name_outputs(config)
        if config.lists_files:
            config.input_folder = input_folder(config)
            config.input_files = _list_files(config)
        _ = config.files
        config.records = {}
    except KeyError as missing:
        raise OptimizerError(f"{configuration.own}: the key {missing.args[0]} is missing") from None
    return cfg


def lay_under_master_data(host: Host, engine: Any, cfg: Any) -> None:
    """Let the host's ``engine`` lay under columns what they have in common."""
    getattr(engine, host.layout.master_data, lambda _: None)(cfg)


def results_folder(configuration: Configuration) -> str:
    """Where the host would write its results."""
    return _results_folder(HostConfig(configuration.merged), _root(configuration.merged))


def _root(cfg: Any) -> str:
    """The folder of the user's file, as it was typed."""
    return os.path.dirname(source_file(cfg) or "") or os.getcwd()


def _results_folder(config: HostConfig, root: str) -> str:
    """A folder with a root of its own stays as it is; others are the configuration's."""
    results = str(config.output_directory or _RESULTS)
    return results if os.path.isabs(results) else str(Path(root, results).resolve())


def _name_outputs(config: HostConfig) -> None:
    fixed_name = os.path.basename(source_file(config.cfg) or "").split(".")[0]
    if config.label is not None:
        fixed_name += f"_{config.label}"
    name = fixed_name
    if not config.overwrites_outputs:
        name += time.strftime(f"_{_TIME_IN_NAMES}")
    root = _root(config.cfg)
    config.note_names(root, _results_folder(config, root), name, fixed_name)


def input_folder(config: HostConfig) -> Path:
    """The folder whose files the host lists.

    :raises OptimizerError: there is none.
    """
    root, given = config.root, config.input_directory
    folder = root if given is None else str(given)
    if not os.path.isabs(folder) and os.path.isdir(os.path.join(root, folder)):
        return Path(root, folder)
    if not os.path.isdir(folder):
        raise OptimizerError(
            f"the input folder {os.path.join(root, folder)} does not exist; "
            "correct file_management.input_directory"
        )
    return Path(os.path.abspath(folder))


def _list_files(config: HostConfig) -> dict[str, list[Path]]:
    """By file extension, in the order in which the system lists them."""
    folder, names = input_folder(config), config.file_names
    pattern = names.get("pattern")
    found = {}
    for extension in names.get("extension", []):
        wanted = f"*.{extension}" if pattern is None else f"*{pattern}*.{extension}"
        found[extension] = _filtered([*folder.glob(wanted)], names)
    return found


def _filtered(files: list[Path], names: Any) -> list[Path]:
    """Those that the host's own filters let through."""
    if "filters" not in names:
        return files
    from assetutilities.common.file_management import FileManagement

    filtered: list[Path] = FileManagement().get_filtered_files(files, names["filters"])
    return filtered
