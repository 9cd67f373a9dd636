"""What the machine and the settings allow: each budget in numbers, and the backends."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

from digitalmodel_optimizer.batch.machine import cpu_bound, measure_machine
from digitalmodel_optimizer.commands.findings import OK, WARN, Check
from digitalmodel_optimizer.commands.installed import InstalledPlugin
from digitalmodel_optimizer.plugin import Settings
from digitalmodel_optimizer.plugin.topology import detect_topology
from digitalmodel_optimizer.report.format import amount, count

_ALLOCATION = "thread-allocation"
_LITTLE_MB = 1000.0
_OPTIONAL_BACKENDS = ("dask", "ray")


def check_budgets(settings: Settings | None, plugins: Sequence[InstalledPlugin]) -> Iterator[Check]:
    """CPUs, memory, native threads, licences and the user's ceiling, as a batch would find them."""
    machine = measure_machine()
    options = _allocation_options(settings, plugins)
    bound = cpu_bound()
    source = f" ({bound.source})" if bound.source else ""
    yield Check("cores", OK, f"{count(bound.cpus, 'logical CPU')} for this process{source}")
    yield check_topology()
    available, total = machine.memory_available_mb, machine.memory_total_mb
    share = options.get("memory_share")
    fixed = options.get("memory_budget_mb")
    if isinstance(fixed, (int, float)):
        budget = f"; workers may fill {amount(min(fixed, available))} of it"
    else:
        budget = f"; workers may fill {amount(available * share)} of it" if share else ""
    yield Check(
        "memory",
        WARN if available < _LITTLE_MB else OK,
        f"{amount(available)} of {amount(total)} available{budget}",
    )
    native = options.get("native_threads", "auto")
    shared = "the cores, shared among the workers" if native == "auto" else f"{native} a model"
    yield Check("native threads", OK, f"{shared} (never more than {machine.logical_cpus} in all)")
    licences = options.get("licences")
    yield Check(
        "licences",
        OK,
        "no cap is set" if licences is None else f"at most {count(licences, 'worker')}",
        f"orcaflex.parallel.plugins.{_ALLOCATION}.licences sets one" if licences is None else "",
    )
    ceiling = settings.ceiling if settings else None
    yield Check(
        "ceiling",
        OK,
        "none: the plugins choose" if ceiling is None else f"at most {count(ceiling, 'worker')}",
    )


def check_topology() -> Check:
    """NUMA nodes with their CPUs and memory; several are a reason to know of a plugin."""
    topology = detect_topology()
    several = len(topology.with_cpus) > 1
    advice = "orcaflex.parallel.plugins.affinity.enabled keeps each worker on one node"
    return Check("topology", OK, str(topology), advice if several else "")


def _allocation_options(
    settings: Settings | None, plugins: Sequence[InstalledPlugin]
) -> dict[str, Any]:
    if settings is not None:
        return dict(settings.plugin(_ALLOCATION))
    for item in plugins:
        if item.name == _ALLOCATION:
            return {option.name: option.default for option in item.declared.options}
    return {}


def check_backends() -> Check:
    """The backends that files can run on; a cluster library only where joblib takes it."""
    import joblib

    names, refused = ["serial", "threading", "loky", "hybrid"], []
    for name in _OPTIONAL_BACKENDS:
        if importlib.util.find_spec(name) is not None:
            reason = _why_refused(name)
            if reason is None:
                names.append(name)
            else:
                refused.append(f"{name} is installed but cannot be used: {reason}")
    found = f"{', '.join(names)} (joblib {joblib.__version__})"
    return Check("backends", OK, "; ".join((found, *refused)))


def _why_refused(backend: str) -> str | None:
    """Why a batch with ``backend`` would be refused, in joblib's words; None if it would run."""
    from joblib import Parallel

    try:
        Parallel(n_jobs=2, backend=backend)
    except (ValueError, ImportError) as error:
        return " ".join(str(error).split())
    return None
