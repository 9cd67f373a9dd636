"""Looking at ``python -m digitalmodel``'s command line, before the host is imported.

Answers one question: can this run be enabled? It looks where the host will look: the base
configuration, the user's file, the file it names as ``default_yaml``, the arguments behind it. A
"no" is certain; a "yes" is decided again on the merged configuration.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.config.settings import is_enabled
from digitalmodel_optimizer.config.yaml_files import base_places

RUN_VARIABLE = "DIGITALMODEL_OPTIMIZER_RUN"
_NEEDLE = b"parallel"
_PERHAPS = {"orcaflex": {"parallel": {"enabled": True}}}
# Switches of the interpreter that take no value may stand before it: ``-um digitalmodel``.
_MODULE_OPTION = re.compile(r"-[bBdEiIOPqRsSuvx]*m(?P<module>.*)")
BASENAMES = ("orcaflex", "orcaflex_analysis", "orcaflex_post_process")


def is_host_command() -> bool:
    """Whether this process is ``python -m digitalmodel`` (or does the same explicitly)."""
    return _place_of_the_host(sys.orig_argv) is not None or _is_explicit_run()


def _place_of_the_host(words: list[str]) -> int | None:
    """Where ``-m digitalmodel``, in two words or in one, ends; what follows is the host's."""
    for place, (word, following) in enumerate(pairwise([*words, ""])):
        option = _MODULE_OPTION.fullmatch(word)
        if option and (option["module"] or following) == "digitalmodel":
            return place if option["module"] else place + 1
    return None


def _is_explicit_run() -> bool:
    """Whether this process is ``digitalmodel-optimizer run``, which sets ``sys.argv`` itself."""
    return os.environ.get(RUN_VARIABLE) == str(os.getpid())


def command_line_enables() -> bool:
    """Whether anything that this command reads says ``orcaflex.parallel.enabled``."""
    arguments = host_arguments()
    if any("parallel" in argument for argument in arguments):
        return True
    return any(_file_enables(path) for path in _configurations(arguments))


def host_arguments() -> list[str]:
    """What follows the host's name on its command line: the user's file first."""
    if _is_explicit_run():
        return sys.argv[1:]
    place = _place_of_the_host(sys.orig_argv)
    return [] if place is None else sys.orig_argv[place + 1 :]


def _configurations(arguments: list[str]) -> Iterator[Path]:
    folders = _package_folders()
    for basename in BASENAMES:
        yield from base_places(basename, folders)
    for argument in arguments[:1]:
        yield Path(argument)
        yield from _default_file(Path(argument))


def _package_folders() -> list[str]:
    """The host's own folders, found without importing it."""
    if (package := sys.modules.get("digitalmodel")) is not None:
        return list(getattr(package, "__path__", ()))
    return [
        os.path.join(entry, "digitalmodel")
        for entry in sys.path
        if os.path.isdir(os.path.join(entry or os.curdir, "digitalmodel"))
    ]


def _default_file(path: Path) -> Iterator[Path]:
    content = _content(path)
    if b"default_yaml" in content:
        named = _parsed(content)
        name = named.get("default_yaml") if isinstance(named, dict) else None
        if isinstance(name, str):
            yield Path(name)


def _file_enables(path: Path) -> bool:
    content = _content(path)
    return _NEEDLE in content and is_enabled(_parsed(content, default=_PERHAPS))


def parsed_file(path: Path) -> Any:
    """The document in ``path``; None where it cannot be read."""
    return _parsed(_content(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parsed(content: bytes, default: Any = None) -> Any:
    """The document; ``default`` where it cannot be read, which is the host's to complain of."""
    import yaml  # the host's own reader, so that both see the same

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(content, Loader=loader)  # noqa: S506 - both are safe loaders
    except Exception:  # an impossible date, for one, is a ValueError
        return default
