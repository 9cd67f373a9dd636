"""metrics: what a run took, to Prometheus and OpenTelemetry by their own client libraries.

Off unless the settings enable it. A target that cannot be reached is a sentence in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from digitalmodel_optimizer.plugin import BatchVerdict, Option, PluginOptions, Settings, hookimpl

NAME = "metrics"
_TIMEOUT_S = 10.0
_INSTALL = "pip install digitalmodel-optimizer[metrics]"


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Gives what a run took to Prometheus and OpenTelemetry.",
        (
            Option("enabled", bool, False, "True switches it on."),
            Option(
                "textfile",
                str,
                None,
                "A .prom file that is written at the end of each run, for node_exporter's textfile "
                "collector.",
                optional=True,
            ),
            Option(
                "pushgateway",
                str,
                None,
                "A Prometheus push gateway, such as `metrics.example.com:9091`.",
                optional=True,
            ),
            Option(
                "otlp",
                str,
                None,
                "An OpenTelemetry collector for traces, such as `http://localhost:4318/v1/traces`.",
                optional=True,
            ),
        ),
    )


@hookimpl
def optimizer_report_ready(facts: Mapping[str, Any], settings: Settings) -> BatchVerdict:
    from digitalmodel_optimizer_plugins.metrics import prometheus, tracing

    options = settings.plugin(NAME)
    targets: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("textfile", lambda path: prometheus.write_textfile(facts, path)),
        ("pushgateway", lambda gateway: prometheus.push(facts, gateway, _TIMEOUT_S)),
        ("otlp", lambda endpoint: tracing.send_trace(facts, endpoint, _TIMEOUT_S)),
    )
    said = [
        sentence
        for name, give in targets
        if options[name] is not None and (sentence := _fault(name, give, options[name])) is not None
    ]
    return BatchVerdict(tuple(said))


def _fault(name: str, give: Callable[[str], object], target: str) -> str | None:
    """Why a target did not get the run; None if it did."""
    try:
        taken = give(target)
    except ImportError as error:
        return f"{name}: needs {error.name}; {_INSTALL}"
    except Exception as error:  # whatever a client library raises: the results stand
        return f"{name}: {target} did not take the run: {error}"
    return f"{name}: {target} did not take the run" if taken is False else None
