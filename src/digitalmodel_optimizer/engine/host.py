"""The host's own modules and helpers at the seams, imported once per process."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from digitalmodel_optimizer.engine.layouts import Layout


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
