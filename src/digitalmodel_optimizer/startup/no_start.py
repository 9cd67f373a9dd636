"""Why the host cannot begin, in a sentence that says what to type, instead of its traceback.

Asked only once the host has failed, and only for a run that enables the plugins: a host that finds
its own way is never contradicted.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from digitalmodel_optimizer.config.configuration import (
    TEST_DATA,
    Configuration,
    base_places,
    read_configuration,
)
from digitalmodel_optimizer.config.enabling import BLOCK, is_enabled
from digitalmodel_optimizer.config.places import Places
from digitalmodel_optimizer.config.user_yaml import read_yaml
from digitalmodel_optimizer.host.config import INPUT_FOLDER, HostConfig
from digitalmodel_optimizer.plugin import OptimizerError

_SUFFIXES = (".yml", ".yaml")
# As far as can be told of a text that is no YAML.
_ENABLES = re.compile(rb"(?im)^\s*[\"']?enabled[\"']?\s*:\s*(true|yes|on)\b")


def why_no_start(arguments: Sequence[str]) -> str | None:
    """What is wrong with the files that the host's command names; None if nothing is.

    :param arguments: the user's file, and what stands behind it.
    """
    if not arguments:
        return None
    path = Path(arguments[0])
    if not path.is_file():
        return missing_file(path)
    try:
        text = read_yaml(path).content
    except OptimizerError as error:
        return str(error) if _enables(path) else None
    with contextlib.suppress(OptimizerError):
        configuration = read_configuration(path, arguments[1:])
        if is_enabled(configuration.merged):
            return _no_base(configuration) or _no_input_folder(configuration)
    default = text.get("default_yaml")
    if isinstance(default, str) and not Path(default).is_file() and is_enabled(text):
        place = Path(default).absolute()
        return f"{path}: default_yaml names a file that is not there: {place}"
    return None


def missing_file(path: Path) -> str | None:
    """What may have been meant by a file that is not there, if it would enable the plugins."""
    if path.suffix not in _SUFFIXES:  # a command of the host's
        return None
    for near in _alike(path):
        if _enables(near):
            said = f"there is no file {path} in {Path.cwd()}"
            if near.name == path.name:
                return f"{said}, but one in {near.parent}; type  {_command(near.parent, near.name)}"
            return f"{said}; did you mean {near}?"
    return None


def _alike(path: Path) -> Iterator[Path]:
    """Files of like names beside ``path``; those of the same name one folder up or down."""
    folder = path.absolute().parent
    with contextlib.suppress(OSError):
        names = [item.name for item in folder.iterdir() if item.suffix in _SUFFIXES]
        for name in difflib.get_close_matches(path.name, names):
            yield path.with_name(name)
    with contextlib.suppress(OSError):
        below = sorted(item for item in folder.iterdir() if item.is_dir())
        yield from (
            item for near in (folder.parent, *below) if (item := near / path.name).is_file()
        )


def _enables(path: Path) -> bool:
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        return all(name.encode() in content for name in BLOCK) and bool(_ENABLES.search(content))
    return False


def _no_base(configuration: Configuration) -> str | None:
    """Why the host has no configuration to lay the user's over."""
    own = configuration.own
    if configuration.basename is None:
        return f"{own} has no basename; write  meta: {{basename: orcaflex_post_process}}"
    if configuration.base is not None:
        return None
    name = f"{configuration.basename}.yml"
    path = Path(os.path.abspath(own))
    for folder in dict.fromkeys((*path.parents, *Path.cwd().parents)):
        if (folder / TEST_DATA / name).is_file():
            there = os.path.relpath(path, folder)
            return (
                f"the host finds no base configuration from {Path.cwd()}: {TEST_DATA / name} is in "
                f"{folder}; type  {_command(folder, there)}"
            )
    looked = " nor ".join(str(place.absolute()) for place in base_places(configuration.basename))
    return (
        f"the host finds no base configuration for {configuration.basename}: there is neither "
        f"{looked}; run the command where {TEST_DATA} is, or put {name} at the first place"
    )


def _no_input_folder(configuration: Configuration) -> str | None:
    root = os.path.dirname(os.path.abspath(configuration.own))
    folders = HostConfig(configuration.merged).input_folders(root)
    if not folders or any(os.path.isdir(folder) for folder in folders):
        return None
    looked = " nor ".join(folders)
    neither = "neither " if len(folders) > 1 else "no folder "
    return f"{configuration.own}: " + Places(configuration.merged).sentence(
        INPUT_FOLDER, f"leads nowhere: there is {neither}{looked}"
    )


def _command(folder: Path, config: str) -> str:
    return f"cd {folder}  and there  python -m digitalmodel {config}"
