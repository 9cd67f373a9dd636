"""The host's own modules and helpers at the seams, imported once per process."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from digitalmodel_optimizer.host.layouts import Layout

# Where OrcFxAPIConfig looks for the path of a library that a parent process has chosen.
_LIBRARY_VARIABLE = "_OrcFxAPIlib"


@dataclass(frozen=True)
class Host:
    """The live objects that a :class:`Layout` names."""

    layout: Layout
    opp: ModuleType
    post_process_class: type
    utilities: Any
    summary: Any
    linked: Any
    objects_class: type


def import_host(layout: Layout) -> Host:
    """Import the post-process module of ``layout``; ImportError and the like pass through."""
    opp = importlib.import_module(layout.opp)
    objects = importlib.import_module(layout.objects_module)
    return Host(
        layout=layout,
        opp=opp,
        post_process_class=getattr(opp, layout.post_process_class),
        utilities=getattr(opp, layout.utilities),
        summary=getattr(opp, layout.summary),
        linked=getattr(opp, layout.linked),
        objects_class=getattr(objects, layout.objects_class),
    )


def import_package() -> ModuleType:
    """The host's package, by which everything begins that waits for its import."""
    return importlib.import_module("digitalmodel")


def run_engine() -> None:
    """Do what ``python -m digitalmodel`` does, with ``sys.argv`` as its command line."""
    import_package()
    importlib.import_module("digitalmodel.engine").engine()


def selected_library() -> str | None:
    """The OrcaFlex library that this process uses; None where OrcFxAPI has not been asked yet."""
    config = sys.modules.get("OrcFxAPIConfig")
    with contextlib.suppress(Exception):
        return None if config is None else str(config.getLibPath())
    return None


def select_library(path: str | None) -> None:
    """Have OrcFxAPI load the library at ``path``, once it is imported in this process."""
    if path is not None:
        os.environ[_LIBRARY_VARIABLE] = path


def library_versions() -> dict[str, str]:
    """The versions of OrcFxAPI and of the OrcaFlex library that it has loaded, as far as known."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"OrcFxAPI": "", "OrcaFlex": ""}
    with contextlib.suppress(PackageNotFoundError):
        versions["OrcFxAPI"] = version("OrcFxAPI")
    binding = sys.modules.get("OrcFxAPI")
    if binding is not None:
        with contextlib.suppress(Exception):
            versions["OrcaFlex"] = str(binding.DLLVersion())
    return versions
