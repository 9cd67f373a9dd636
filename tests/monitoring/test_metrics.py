"""A run's figures arrive: a file for Prometheus, a push gateway, an OpenTelemetry collector."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from facts import make_facts

from digitalmodel_optimizer.plugin import Settings
from digitalmodel_optimizer_plugins import metrics

pytest.importorskip("prometheus_client")
pytest.importorskip("opentelemetry.sdk")


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        self.server.arrived.append((self.path, content))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    do_PUT = do_POST  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def collector() -> Iterator[Any]:
    with HTTPServer(("127.0.0.1", 0), _Collector) as server:
        server.arrived, server.status = [], 200  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def said(facts: dict[str, Any], **options: str) -> tuple[str, ...]:
    values = {"textfile": None, "pushgateway": None, "otlp": None, **options}
    settings = Settings(source="/study/dm_fsts.yml", plugin_options={"metrics": values})
    return metrics.optimizer_report_ready(facts, settings).sentences


def test_a_text_file_for_prometheus(tmp_path: Path) -> None:
    path = tmp_path / "dmo.prom"
    facts = make_facts(5, failed=1)
    assert said(facts, textfile=str(path)) == ()
    text = path.read_text()
    assert 'digitalmodel_optimizer_files{batch="dm_fsts.yml"} 5.0' in text
    assert 'digitalmodel_optimizer_files_failed{batch="dm_fsts.yml"} 1.0' in text
    loads = sum(record["load_s"] for record in facts["records"])
    line = next(item for item in text.splitlines() if 'stage="load"' in item)
    assert float(line.split()[-1]) == pytest.approx(loads)


def test_a_push_gateway(collector: Any) -> None:
    assert said(make_facts(3), pushgateway=address(collector)) == ()
    ((path, content),) = collector.arrived
    assert path == "/metrics/job/digitalmodel_optimizer"
    assert b"digitalmodel_optimizer_loop_seconds" in content


def test_a_collector_of_opentelemetry(collector: Any) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    facts = make_facts(4, failed=1)
    assert said(facts, otlp=f"{address(collector)}/v1/traces") == ()
    request = ExportTraceServiceRequest()
    request.ParseFromString(collector.arrived[0][1])
    spans = {
        span.name: span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert set(spans) == {"dm_fsts.yml", *(f"lc_{n:04d}.sim" for n in range(4))}
    run, file = spans["dm_fsts.yml"], spans["lc_0002.sim"]
    assert file.parent_span_id == run.span_id
    seconds = (file.end_time_unix_nano - file.start_time_unix_nano) / 1e9
    assert seconds == pytest.approx(facts["records"][2]["total_s"], abs=1e-6)
    assert "<no> simulation" in spans["lc_0000.sim"].status.message


@pytest.mark.parametrize("target", ["pushgateway", "otlp"])
def test_a_target_that_refuses_is_a_sentence(collector: Any, target: str) -> None:
    collector.status = 400
    (sentence,) = said(make_facts(2), **{target: address(collector)})
    assert sentence.startswith(f"{target}: {address(collector)} did not take the run")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    (sentence,) = said(make_facts(2), textfile=str(tmp_path / "nowhere" / "x.prom"))
    assert "did not take the run" in sentence


def test_a_library_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    (sentence,) = said(make_facts(2), textfile=str(tmp_path / "x.prom"))
    assert "pip install digitalmodel-optimizer[metrics]" in sentence
