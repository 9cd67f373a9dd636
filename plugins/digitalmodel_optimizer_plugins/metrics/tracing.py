"""A run as an OpenTelemetry trace: a span for the run, one for each file, its stages as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.plugin.timing import ALL_STAGES

_NS_PER_S = 1e9


def send_trace(facts: Mapping[str, Any], endpoint: str, timeout_s: float) -> bool:
    """Send the trace to an OTLP collector over HTTP (``http://host:4318/v1/traces``).

    :return: whether it was taken.
    :raises ImportError: the libraries are not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider: Any = TracerProvider(
        resource=Resource.create({"service.name": "digitalmodel-optimizer"}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    _record(provider.get_tracer("digitalmodel-optimizer", facts["version"]), facts)
    exporter: Any = OTLPSpanExporter(endpoint=endpoint, timeout=int(timeout_s))
    try:
        return bool(exporter.export(kept.get_finished_spans()) is SpanExportResult.SUCCESS)
    finally:
        exporter.shutdown()
        provider.shutdown()


def _record(tracer: Any, facts: Mapping[str, Any]) -> None:
    from opentelemetry import trace

    name = PurePath(facts["source"] or facts["results_folder"]).name
    began_s = facts["began_s"]
    run = tracer.start_span(
        name,
        start_time=_ns(began_s),
        attributes={
            "files": facts["files"],
            "files.failed": len(facts["failed"]),
            "workers": facts["workers"],
            "backend": facts["backend"],
            "memory.peak_mb": facts["memory_peak_mb"],
            "bottleneck": facts["bottleneck"]["kind"],
        },
    )
    inside = trace.set_span_in_context(run)
    for record in facts["records"]:
        if record["began_s"] is None:
            continue
        start_s = began_s + record["began_s"]
        span = tracer.start_span(
            PurePath(record["file"]).name,
            context=inside,
            start_time=_ns(start_s),
            attributes={
                "size_mb": record["size_mb"],
                "outcome": record["outcome"],
                "attempts": record["attempts"],
                "worker": record["worker"] or 0,
                "memory_mb": record["memory_mb"],
                **{f"{stage}_s": record[f"{stage}_s"] for stage in ALL_STAGES},
            },
        )
        if record["messages"] and record["outcome"] != "done":
            span.set_status(trace.StatusCode.ERROR, record["messages"][0])
        span.end(end_time=_ns(start_s + record["total_s"]))
    run.end(end_time=_ns(began_s + facts["elapsed_s"]))


def _ns(seconds: float) -> int:
    return int(seconds * _NS_PER_S)
