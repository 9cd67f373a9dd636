"""``python -m digitalmodel``'s command line, looked at before the host is imported.

Answers two questions: is this the host's command, and does it enable the plugins? The second is
decided on the configuration as the host will merge it; where only the host can tell, the answer is
yes, and it is decided again on what the host has made.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from digitalmodel_optimizer.config.configuration import (
    Configuration,
    base_places,
    read_configuration,
)
from digitalmodel_optimizer.config.enabling import is_enabled
from digitalmodel_optimizer.plugin import OptimizerError
from digitalmodel_optimizer.watcher import RUN_VARIABLE

BASENAMES = ("orcaflex", "orcaflex_analysis", "orcaflex_post_process")
# Switches may be joined (``-um``); the value of -c, -m, -W, -X is the rest of the word or the next.
_OPTION = re.compile(r"-(?=[^-])[^cmWX]*(?:(?P<name>[cmWX])(?P<value>.*))?", re.DOTALL)
_LONG_OPTION_WITH_VALUE = "--check-hash-based-pycs"


def is_host_command() -> bool:
    """Whether this process is ``python -m digitalmodel`` (or does the same explicitly)."""
    return _is_explicit_run() or _arguments_of_the_host(sys.orig_argv) is not None


def be_host_command(arguments: Sequence[str]) -> None:
    """Make this process one that runs the host's command with ``arguments``."""
    os.environ[RUN_VARIABLE] = str(os.getpid())
    sys.argv = ["digitalmodel", *arguments]


def host_arguments() -> list[str]:
    """What follows the host's name on its command line: the user's file first."""
    return sys.argv[1:] if _is_explicit_run() else _arguments_of_the_host(sys.orig_argv) or []


def _is_explicit_run() -> bool:
    """Whether this process is ``digitalmodel-optimizer run``, which sets ``sys.argv`` itself."""
    return os.environ.get(RUN_VARIABLE) == str(os.getpid())


def _arguments_of_the_host(words: list[str]) -> list[str] | None:
    """What follows ``-m digitalmodel`` among the interpreter's own options; None without that.

    Read as the interpreter does: its options end at the first script, ``-c`` or ``-m``.
    """
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        option = _OPTION.fullmatch(word)
        if word == _LONG_OPTION_WITH_VALUE:
            rest[:1] = []
        elif option is None:
            return None
        elif name := option["name"]:
            value = option["value"] or (rest.pop(0) if rest else "")
            if name in "cm":
                return rest if name == "m" and value == "digitalmodel" else None
    return None


def command_line_enables() -> bool:
    """Whether this command's configuration enables the plugins, as far as can be told."""
    if not any("parallel" in text or "default_yaml" in text for text in _texts()):
        return False  # as in most runs: nothing has been parsed
    configuration = host_configuration()
    return configuration is None or is_enabled(configuration.merged)


def host_configuration() -> Configuration | None:
    """What the host will make of its command line; None where only the host can tell."""
    arguments = host_arguments()
    with contextlib.suppress(OptimizerError):
        if arguments:
            return read_configuration(arguments[0], arguments[1:])
    return None


def _texts() -> Iterator[str]:
    """All that may say anything of the plugins."""
    arguments = host_arguments()
    yield from arguments
    files = [place for basename in BASENAMES for place in base_places(basename)]
    for file in (*map(Path, arguments[:1]), *files):
        with contextlib.suppress(OSError):
            yield file.read_bytes().decode("utf-8", "ignore")
