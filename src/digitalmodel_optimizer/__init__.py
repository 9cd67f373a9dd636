"""Optimizer plugins around digitalmodel's OrcaFlex post-processing.

Importing this package costs nothing: names are resolved on first use, since the package is imported
at every interpreter start (see ``_activation``). Plugin authors need three names::

    from digitalmodel_optimizer import hookimpl, Option, PluginOptions
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from digitalmodel_optimizer.plugin import (
        OptimizerError,
        OptimizerWarning,
        Option,
        PluginOptions,
        hookimpl,
    )

__version__ = "0.2.0"

_CONTRACT_NAMES = ("hookimpl", "Option", "PluginOptions", "OptimizerError", "OptimizerWarning")

__all__ = [
    "OptimizerError",
    "OptimizerWarning",
    "Option",
    "PluginOptions",
    "__version__",
    "hookimpl",
]


def __getattr__(name: "str") -> "Any":
    if name in _CONTRACT_NAMES:
        from digitalmodel_optimizer import plugin

        return getattr(plugin, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
