"""The contract between the host and its plugins; a plugin imports this package and nothing else.

A plugin is a module (or an object) with functions marked by :data:`hookimpl`, registered under an
entry point of the group ``digitalmodel_optimizer.plugins``; the entry point's name is the plugin's
name, the one that users write in their ``dm_fsts.yml`` and in ``DIGITALMODEL_OPTIMIZER_BLOCK``.
The whole of a plugin that says which file took longest::

    from digitalmodel_optimizer.plugin import hookimpl

    @hookimpl
    def optimizer_batch_finished(batch, report):
        slowest = max(report.results, key=lambda result: result.timings.total_s)
        print(f"slowest: {slowest.file.path} ({slowest.timings.total_s:.1f} s)")

The built-in plugins (thread-allocation, gc, io-buffering, batch-grouping, hybrid-executor,
result-extraction, result-cache, checks) load the same way; each can be replaced, wrapped or
switched off.
:mod:`~digitalmodel_optimizer.plugin.hookspecs` lists the hooks by phase,
:mod:`~digitalmodel_optimizer.plugin.data` and :mod:`~digitalmodel_optimizer.plugin.results` the
data that passes through them, :mod:`~digitalmodel_optimizer.plugin.executor` what runs files. A
plugin that keeps files of its own does it with :mod:`~digitalmodel_optimizer.plugin.private`,
:mod:`~digitalmodel_optimizer.plugin.journal` and :mod:`~digitalmodel_optimizer.plugin.atomic`.
"""

from __future__ import annotations

from digitalmodel_optimizer.plugin.data import (
    BYTES_PER_MB,
    Adjustment,
    Allocation,
    Assignment,
    Batch,
    ExecutorChoice,
    Expected,
    FileTask,
    Group,
    Machine,
    Measured,
    Progress,
    RetryAction,
    Schedule,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.errors import (
    BatchStoppedError,
    FilesFailedError,
    OptimizerError,
    OptimizerWarning,
    OutputError,
    PluginError,
    SettingsError,
    VerificationError,
)
from digitalmodel_optimizer.plugin.executor import (
    Executor,
    ProcessFile,
)
from digitalmodel_optimizer.plugin.hookspecs import hookimpl
from digitalmodel_optimizer.plugin.options import (
    AUTO,
    Option,
    PluginOptions,
    Settings,
)
from digitalmodel_optimizer.plugin.results import (
    BatchReport,
    BatchVerdict,
    ErrorKind,
    FileError,
    FileResult,
    KeptResults,
    OutputFile,
    Request,
    RequestKind,
    ResourceSample,
    Store,
    StoreAction,
    Timings,
    TuningAction,
)
from digitalmodel_optimizer.plugin.timing import Stage, performance_timer

__all__ = [
    "AUTO",
    "BYTES_PER_MB",
    "Adjustment",
    "Allocation",
    "Assignment",
    "Batch",
    "BatchReport",
    "BatchStoppedError",
    "BatchVerdict",
    "ErrorKind",
    "Executor",
    "ExecutorChoice",
    "Expected",
    "FileError",
    "FileResult",
    "FileTask",
    "FilesFailedError",
    "Group",
    "KeptResults",
    "Machine",
    "Measured",
    "OptimizerError",
    "OptimizerWarning",
    "Option",
    "OutputError",
    "OutputFile",
    "PluginError",
    "PluginOptions",
    "ProcessFile",
    "Progress",
    "Request",
    "RequestKind",
    "ResourceSample",
    "RetryAction",
    "Schedule",
    "Settings",
    "SettingsError",
    "SimulationFile",
    "Stage",
    "Store",
    "StoreAction",
    "Timings",
    "TuningAction",
    "VerificationError",
    "hookimpl",
    "performance_timer",
]
