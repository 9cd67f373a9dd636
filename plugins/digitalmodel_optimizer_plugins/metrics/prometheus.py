"""A run as Prometheus metrics, for node_exporter's textfile collector or a push gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.plugin.timing import ALL_STAGES

_JOB = "digitalmodel_optimizer"
_NUMBERS = {
    "elapsed_s": ("loop_seconds", "Seconds of the post-process loop."),
    "command_s": ("command_seconds", "Seconds of the whole command."),
    "files": ("files", "Files of the batch."),
    "files_done": ("files_done", "Files whose results stand."),
    "files_read": ("files_read", "Files that were read in this run."),
    "size_done_mb": ("size_done_megabytes", "Size of the files that are done."),
    "memory_peak_mb": ("memory_peak_megabytes", "Memory of all processes at the peak."),
    "workers": ("workers", "Workers of the largest group."),
    "licence_wait_s": ("licence_wait_seconds", "Seconds in which a licence was waited for."),
    "began_s": ("began_timestamp_seconds", "When the run began, in seconds since 1970."),
}


def registry_of(facts: Mapping[str, Any]) -> Any:
    """A registry of prometheus_client with the run's figures, labelled by the batch.

    :raises ImportError: the library is not installed.
    """
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    batch = PurePath(facts["source"] or facts["results_folder"]).name

    def gauge(name: str, words: str, value: float, **labels: str) -> None:
        made = gauges.get(name)
        if made is None:
            names = ("batch", *labels)
            made = gauges[name] = Gauge(f"{_JOB}_{name}", words, names, registry=registry)
        made.labels(batch=batch, **labels).set(value)

    gauges: dict[str, Any] = {}
    for key, (name, words) in _NUMBERS.items():
        if facts[key] is not None:
            gauge(name, words, float(facts[key]))
    gauge("files_failed", "Files that have failed.", len(facts["failed"]))
    for stage in ALL_STAGES:
        seconds = sum(record[f"{stage}_s"] for record in facts["records"])
        gauge("stage_seconds", "Seconds of all files by stage.", seconds, stage=stage)
    return registry


def write_textfile(facts: Mapping[str, Any], path: str) -> None:
    """Write the metrics to ``path``, at once.

    :raises OSError: it cannot be written.
    """
    from prometheus_client import write_to_textfile

    write_to_textfile(path, registry_of(facts))


def push(facts: Mapping[str, Any], gateway: str, timeout_s: float) -> None:
    """Push the metrics to a gateway at ``host:port`` or an address.

    :raises OSError: it cannot be reached, or refuses.
    """
    from prometheus_client import push_to_gateway

    push_to_gateway(gateway, job=_JOB, registry=registry_of(facts), timeout=timeout_s)
