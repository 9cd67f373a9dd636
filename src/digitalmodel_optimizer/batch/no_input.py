"""A batch without a single file is a mistake, where the host has looked for files in a folder."""

from __future__ import annotations

import fnmatch
import os
from typing import Any

from digitalmodel_optimizer.host.config import (
    EXTENSIONS,
    INPUT_FILES,
    INPUT_FOLDER,
    PATTERN,
    SEARCH,
    HostConfig,
)
from digitalmodel_optimizer.plugin import SettingsError


class NoFilesError(SettingsError):
    """There is nothing to post-process, or not yet."""


def refuse_no_files(cfg: Any) -> None:
    """Say why there is nothing to do; a list that a script has left empty is its own affair.

    :raises NoFilesError: the host has found no simulation file, or has not been told to look.
    """
    config = HostConfig(cfg)
    files = config.get(INPUT_FILES)
    if files is None and not config.get(SEARCH):
        said = "must be True for the host to look for files, unless they are listed under"
        raise NoFilesError([f"{'.'.join(SEARCH)} {said} {'.'.join(INPUT_FILES)}"])
    if files is None:
        found = config.get(EXTENSIONS)
        said = f"must list sim (got {found}), or there is nothing to post-process"
        raise NoFilesError([f"{'.'.join(EXTENSIONS)} {said}"])
    folder = config.input_folder
    if len(files) or folder is None:
        return
    names = [name for name in os.listdir(folder) if name.lower().endswith(".sim")]
    matching = fnmatch.filter(names, config.file_pattern)
    if not names:
        fault = f"{'.'.join(INPUT_FOLDER)} leads to {folder}, which holds no .sim file"
    elif matching and config.filters_files:
        said = f"passes none of the {len(matching)} files of {folder}; change it or remove it"
        fault = f"{'.'.join(PATTERN[:-1])}.filters {said}"
    else:
        said = f"takes {config.file_pattern}, and none of the {len(names)} .sim files of {folder}"
        fault = f"{'.'.join(PATTERN)} {said} is called so"
    raise NoFilesError([fault])
