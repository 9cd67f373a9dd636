"""Alerts: what gives reason to tell, and that it arrives at a mail server, a webhook, a command."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from facts import make_facts

from digitalmodel_optimizer.plugin import Progress, Settings, SettingsError, SimulationFile
from digitalmodel_optimizer_plugins import alerts
from digitalmodel_optimizer_plugins.alerts.rules import RULES, Alert, Watch, alerts_of
from digitalmodel_optimizer_plugins.alerts.sending import TARGETS_VARIABLE, send

# apprise imports all of its services, some of which use what Python will remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
DEFAULTS = {option.name: option.default for option in RULES}
EARLIER = {"runs": 5, "median_s": 1.0, "least_s": 0.9, "most_s": 1.2, "median_mb_per_s": 10.0,
           "median_memory_mb": 500.0}  # fmt: skip


def found(facts: dict[str, Any], **options: Any) -> list[str]:
    return [alert.rule for alert in alerts_of(facts, {**DEFAULTS, **options})]


def test_a_good_night_is_no_alert() -> None:
    facts = make_facts(12)
    assert found({**facts, "earlier": {**EARLIER, "median_s": facts["elapsed_s"]}}) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"earlier": EARLIER}, "slower_than_usual"),
        ({"memory_peak_mb": 31_000.0}, "memory_share"),
        ({"licence_wait_s": 61.0}, "licence_wait_s"),
        ({"refused": ["checks: 2 files exceed a limit"]}, "refused"),
        ({"interrupted": True}, "stopped"),
        ({"files_left": 3}, "stopped"),
    ],
)
def test_each_rule_fires_and_can_be_left_out(changes: dict[str, Any], rule: str) -> None:
    facts = {**make_facts(12), **changes}
    assert found(facts) == [rule]
    off = False if isinstance(DEFAULTS[rule], bool) else None
    assert found(facts, **{rule: off}) == []


def test_failed_files_count_by_their_share() -> None:
    facts = make_facts(20, failed=1)
    assert found(facts) == ["failed_share"]
    assert found(facts, failed_share=0.1) == []
    (alert,) = alerts_of(facts, DEFAULTS)
    assert "1 of 20 files failed" in alert.sentence
    assert "<no> simulation" in alert.sentence


def progress(elapsed_s: float, *running: int) -> Progress:
    files = tuple(SimulationFile(n, f"lc_{n}.sim", 1) for n in running)
    return Progress(9, 0, 0, 9.0, 0.0, elapsed_s, files, (), 2, 1000.0)


def test_a_file_that_does_not_end_is_told_once_while_it_runs() -> None:
    watch = Watch(DEFAULTS)
    assert not list(watch.look(progress(10, 1, 2), None))
    assert not list(watch.look(progress(1000, 2, 3), None))
    (alert,) = watch.look(progress(1820, 2, 3), None)
    assert alert == Alert("stalled_s", "lc_2.sim has run for 1810 s")
    assert not list(watch.look(progress(1900, 2, 3), None))


def test_a_disk_that_fills_is_told_once() -> None:
    watch = Watch(DEFAULTS)
    assert not list(watch.look(progress(1), 2_000_000_000))
    (alert,) = watch.look(progress(2), 500_000_000)
    assert alert.sentence == "500 MB are left where results are written"
    assert not list(watch.look(progress(3), 400_000_000))


# -- arrived -----------------------------------------------------------------------------------


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as takes one message."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line.strip().split(b" ")[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                message = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.arrived.append(message.decode())  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived.append(json.loads(content))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(params=["mail", "webhook"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[Any]]]:
    """A real server on this machine: its address for apprise, and what has arrived."""
    pytest.importorskip("apprise")
    mail = request.param == "mail"
    kind = socketserver.TCPServer if mail else HTTPServer
    with kind(("127.0.0.1", 0), _Mail if mail else _Hook) as server:  # type: ignore[arg-type]
        server.arrived = []  # type: ignore[union-attr]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        address = f"mailto://127.0.0.1:{port}?from=dmo@example.com&to=me@example.com&mode=insecure"
        yield (address if mail else f"json://127.0.0.1:{port}/hook"), server.arrived  # type: ignore[union-attr]
        server.shutdown()
        thread.join()


def settings(**options: Any) -> Settings:
    values = {**DEFAULTS, "command": None, "exit_status": False, **options}
    return Settings(source="/study/dm_fsts.yml", plugin_options={"alerts": values})


def test_an_alert_arrives(service: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    address, arrived = service
    monkeypatch.setenv(TARGETS_VARIABLE, address)
    verdict = alerts.optimizer_report_ready(make_facts(8, failed=3), settings())
    assert verdict is not None
    assert [text.split(",")[0] for text in verdict.sentences] == ["3 of 8 files failed"]
    assert verdict.failure == ""
    (message,) = arrived
    assert "dm_fsts.yml: 3 of 8 files failed" in str(message)


def test_an_address_that_cannot_be_reached_is_told_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("apprise")
    secret = "json://user:hunter2@127.0.0.1:9/hook"
    (said,) = send([secret], "t", "x")
    assert said == "the alert could not be sent to target 1 (json)"
    monkeypatch.setenv(TARGETS_VARIABLE, secret)
    verdict = alerts.optimizer_report_ready(make_facts(4, failed=1), settings())
    assert verdict is not None
    assert "hunter2" not in repr(verdict)
    assert said in verdict.sentences


def test_a_command_gets_the_alerts_as_json(tmp_path: Path) -> None:
    code = f"import sys; open({str(tmp_path / 'got')!r}, 'w').write(sys.stdin.read())"
    script = tmp_path / "tell.py"
    script.write_text(code)
    command = f'"{sys.executable}" "{script}"'
    verdict = alerts.optimizer_report_ready(
        make_facts(4, failed=1), settings(command=command, exit_status=True)
    )
    assert verdict is not None
    assert "1 of 4 files failed" in verdict.failure
    got = json.loads((tmp_path / "got").read_text())
    assert got["batch"] == "dm_fsts.yml"
    assert [alert["rule"] for alert in got["alerts"]] == ["failed_share"]


def test_a_command_that_fails_is_told() -> None:
    command = f'"{sys.executable}" -c "raise SystemExit(3)"'
    verdict = alerts.optimizer_report_ready(make_facts(4, failed=1), settings(command=command))
    assert verdict is not None
    assert "the command of alerts ended with status 3" in verdict.sentences[-1]


def test_a_keyring_without_an_entry_is_refused_before_the_first_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TARGETS_VARIABLE, "keyring")
    with pytest.raises(SettingsError, match=TARGETS_VARIABLE):
        alerts.optimizer_configure(settings())
