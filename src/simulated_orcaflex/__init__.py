"""A stand-in for OrcaFlex's native library, put under the genuine OrcFxAPI wrapper.

OrcaFlex is not on most machines that want to test a post-processor. This package implements, in
Python and numpy, the native functions that reading results needs. The `OrcFxAPI` wrapper itself
is Orcina's own, unmodified: install it with `pip install OrcFxAPI`.

    import simulated_orcaflex

    simulated_orcaflex.write_simulation("case.sim", simulated_orcaflex.typical_simulation())
    simulated_orcaflex.enable()
    import OrcFxAPI

    model = OrcFxAPI.Model("case.sim")
    tension = model["Mooring 1"].TimeHistory("Effective Tension", None, OrcFxAPI.oeEndA)

What it is good for: the statuses, the thread affinity, the memory and the file sizes are those a
program meets with OrcaFlex, so loading, scheduling, failing and waiting can be tested and timed.
What is measured on it is the overhead of the host and of this project, its scheduling and its
I/O. It says nothing about OrcaFlex's arithmetic, and its numbers are not engineering results.

Its files are its own: OrcaFlex refuses them, and it refuses OrcaFlex's. It switches on only when
asked, by `enable()` or by the environment variable `SIMULATED_ORCAFLEX=1`, never because OrcaFlex
is missing. Importing this package imports neither numpy nor anything else of weight.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .describe import (
        CurrentDescription,
        EnvironmentDescription,
        ObjectDescription,
        SimulationDescription,
        VariableDescription,
        typical_simulation,
    )
    from .faults import (
        FAULTS_VARIABLE,
        Crash,
        Faults,
        FaultyVariable,
        Hang,
        LicenceFault,
        LicenceLoss,
        LoadFailure,
        OutOfMemory,
    )
    from .records import LOG_VARIABLE, Statistics, read_log, statistics
    from .writer import write_simulation

ENVIRONMENT_VARIABLE = "SIMULATED_ORCAFLEX"
"""Set to `1`, this variable switches the stand-in on at the start of an interpreter."""

STARTUP_LINE = (
    "import os; os.environ.get('SIMULATED_ORCAFLEX') == '1' and "
    "__import__('simulated_orcaflex').activate_from_environment()"
)
"""The line of a `.pth` file in site-packages that makes child interpreters obey the variable."""

_EXPORTS = {
    "CurrentDescription": "describe",
    "EnvironmentDescription": "describe",
    "ObjectDescription": "describe",
    "SimulationDescription": "describe",
    "VariableDescription": "describe",
    "typical_simulation": "describe",
    "FAULTS_VARIABLE": "faults",
    "Crash": "faults",
    "FaultyVariable": "faults",
    "Faults": "faults",
    "Hang": "faults",
    "LicenceFault": "faults",
    "LicenceLoss": "faults",
    "LoadFailure": "faults",
    "OutOfMemory": "faults",
    "LOG_VARIABLE": "records",
    "Statistics": "records",
    "read_log": "records",
    "statistics": "records",
    "write_simulation": "writer",
}

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "FAULTS_VARIABLE",
    "LOG_VARIABLE",
    "STARTUP_LINE",
    "Crash",
    "CurrentDescription",
    "EnvironmentDescription",
    "Faults",
    "FaultyVariable",
    "Hang",
    "LicenceFault",
    "LicenceLoss",
    "LoadFailure",
    "ObjectDescription",
    "OutOfMemory",
    "SimulationDescription",
    "Statistics",
    "VariableDescription",
    "activate_from_environment",
    "disable",
    "enable",
    "enabled",
    "read_log",
    "statistics",
    "typical_simulation",
    "write_simulation",
]


def enable() -> None:
    """Make `import OrcFxAPI` in this process use the stand-in, and tell child processes to.

    Children obey when the distribution's `.pth` file is installed (see `STARTUP_LINE`), or when
    they call `activate_from_environment()` themselves.

    Raises RuntimeError if OrcFxAPI was already imported on top of the real OrcaFlex.
    """
    from . import importing

    importing.install()
    os.environ[ENVIRONMENT_VARIABLE] = "1"


def disable() -> None:
    """Take the stand-in away: a later `import OrcFxAPI` looks for the real OrcaFlex again."""
    os.environ.pop(ENVIRONMENT_VARIABLE, None)
    if "simulated_orcaflex.importing" in sys.modules:
        from . import importing

        importing.uninstall()


def enabled() -> bool:
    """Whether `import OrcFxAPI` in this process uses (or would use) the stand-in."""
    if "simulated_orcaflex.importing" not in sys.modules:
        return False
    from . import importing

    return importing.installed()


def activate_from_environment() -> None:
    """Switch on if the environment variable is `1`; cheap enough for every interpreter start."""
    if os.environ.get(ENVIRONMENT_VARIABLE) == "1":
        from . import importing

        importing.install()
        if '"write"' in os.environ.get("SIMULATED_ORCAFLEX_FAULTS", ""):
            from . import writing

            writing.watch()


def __getattr__(name: str) -> object:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
