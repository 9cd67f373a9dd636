"""A batch that was meant to be enabled and is not: the key that should have done it is named.

Nobody else says so: the host reads none of these keys, and what is not enabled is not ours. Only
the files and arguments of the run are looked at, never what they leave out on purpose.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from digitalmodel_optimizer.config.configuration import (
    MISSING,
    Configuration,
    look_up,
    read_configuration,
)
from digitalmodel_optimizer.config.enabling import (
    BLOCK,
    ENABLED,
    is_enabled,
    near_key,
    wrong_enabling,
)
from digitalmodel_optimizer.config.places import Places
from digitalmodel_optimizer.config.user_yaml import Key, YamlText, read_yaml
from digitalmodel_optimizer.host.config import HostConfig
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.startup.command_line import BASENAMES, host_arguments

_KEYS = re.compile(rb"([A-Za-z_]+)[\"']?\s*:")


class Typo(NamedTuple):
    """``fatal``: plugins were meant to be on, beyond doubt."""

    said: str
    fatal: bool


def typo_on_command_line() -> Typo | None:
    """:func:`find_typo` for what the host's command names; little is done if nothing is ours."""
    path, *arguments = host_arguments() or [""]
    with contextlib.suppress(OptimizerError):
        if path and (_mentioned(arguments) or _worth_parsing(read_yaml(Path(path)))):
            return find_typo(read_configuration(Path(path), arguments))
    return None


def find_typo(configuration: Configuration) -> Typo | None:
    """What in a configuration that is not enabled was meant to enable it, as a sentence."""
    cfg = configuration.merged
    if is_enabled(cfg) or configuration.basename not in BASENAMES:
        return None
    said = look_up(cfg, (*BLOCK, ENABLED))
    origin = configuration.origin_of((*BLOCK, ENABLED), said)
    if origin is not None and origin.file == configuration.base:
        said, cfg = MISSING, configuration.texts[-1].content  # the user's own has the last word
    if said in (MISSING, None) and _is_hidden(configuration):
        return find_rivals(configuration)
    if not _is_post_processing(configuration.merged):
        return None
    found = wrong_enabling(cfg)
    if found is None:
        return None
    sentence = Places(configuration.merged).sentence(found.key, found.said)
    return Typo(f"{configuration.own}: {sentence}", found.fatal)


def find_rivals(configuration: Configuration) -> Typo | None:
    """Keys on the way to our block that stand more than once, so that all but one are lost."""
    if configuration.basename not in BASENAMES:
        return None
    told, faults = Places(configuration.merged).repeated_keys(BLOCK)
    lost = [*faults, *told]
    return Typo(f"{configuration.own}: {lost[0]}", bool(faults)) if lost else None


def _is_hidden(configuration: Configuration) -> bool:
    """Whether a key that enables the plugins is lost, since one above it stands again below."""
    text = configuration.texts[-1]
    ways: list[Key] = [BLOCK[:1], BLOCK, (*BLOCK, ENABLED)]
    for way in ways:
        for value, _ in [*text.all_values(way)][:-1]:
            nested = value
            for name in reversed(way):
                nested = {name: nested}
            if is_enabled(nested) and _is_post_processing(configuration.merged, nested):
                return True
    return False


def _is_post_processing(*configurations: Any) -> bool:
    return any(HostConfig(cfg).is_post_processing() for cfg in configurations)


def _mentioned(arguments: Sequence[str]) -> bool:
    return any(BLOCK[1] in word for word in arguments)


def _worth_parsing(text: YamlText) -> bool:
    """Whether any key is like one of ours; a look at the text, since most files have none."""
    ((_, content),) = text.files
    if BLOCK[0].encode() not in content:
        return False
    return near_key(BLOCK[1], (key.decode("ascii") for key in _KEYS.findall(content))) is not None
