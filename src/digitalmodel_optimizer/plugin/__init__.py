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
result-extraction) come in by the same door; each can be replaced, wrapped or switched off.
:mod:`~digitalmodel_optimizer.plugin.hookspecs` lists the hooks by phase,
:mod:`~digitalmodel_optimizer.plugin.data` the data that passes through them.
"""

from __future__ import annotations

from digitalmodel_optimizer.plugin.data import (
    BYTES_PER_MB,
    Adjustment,
    Allocation,
    Assignment,
    Batch,
    BatchReport,
    Control,
    Decision,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    OutputFile,
    ProcessFile,
    Progress,
    Request,
    RequestKind,
    Schedule,
    SimulationFile,
    Timings,
)
from digitalmodel_optimizer.plugin.errors import (
    FilesFailedError,
    OptimizerError,
    OptimizerWarning,
    OutputError,
    PluginError,
    SettingsError,
    WorkerLostError,
)
from digitalmodel_optimizer.plugin.hookspecs import PROJECT_NAME, hookimpl, hookspec
from digitalmodel_optimizer.plugin.options import AUTO, Option, PluginOptions, Settings

__all__ = [
    "AUTO",
    "BYTES_PER_MB",
    "PROJECT_NAME",
    "Adjustment",
    "Allocation",
    "Assignment",
    "Batch",
    "BatchReport",
    "Control",
    "Decision",
    "ErrorKind",
    "FileError",
    "FileResult",
    "FileTask",
    "FilesFailedError",
    "Group",
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
    "Schedule",
    "Settings",
    "SettingsError",
    "SimulationFile",
    "Timings",
    "WorkerLostError",
    "hookimpl",
    "hookspec",
]
