"""The facts of a run in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json

import pytest
from facts import make_facts

from digitalmodel_optimizer.report.exports import as_csv, as_json_lines, as_trace
from digitalmodel_optimizer.report.facts import SCHEMA, STAGES


def test_facts_have_a_record_of_each_file_whose_stages_add_up() -> None:
    facts = json.loads(json.dumps(make_facts(5, failed=1)))
    assert facts["schema"] == SCHEMA
    assert [item["outcome"] for item in facts["records"]] == ["not a simulation", *["done"] * 4]
    for item in facts["records"]:
        stages = sum(item[f"{stage}_s"] for stage in STAGES[1:-1])
        assert stages == pytest.approx(item["total_s"])
        assert item["written_mb"] == 1.0
    assert facts["records"][0]["messages"] == ["sim/lc_0000.sim is <no> simulation"]


def test_csv_has_a_row_for_each_file() -> None:
    facts = make_facts(3, failed=1)
    rows = list(csv.DictReader(io.StringIO(as_csv(facts))))
    assert [row["file"] for row in rows] == [item["file"] for item in facts["records"]]
    assert float(rows[1]["load_s"]) == facts["records"][1]["load_s"]
    assert "<no> simulation" in rows[0]["messages"]


def test_json_lines_say_what_each_line_is() -> None:
    lines = [json.loads(line) for line in as_json_lines(make_facts(3)).splitlines()]
    assert [line["record"] for line in lines] == ["run", *["file"] * 3, *["sample"] * 20]
    assert "records" not in lines[0]


def test_a_trace_has_each_file_on_its_workers_track_and_its_stages_inside() -> None:
    facts = make_facts(6)
    events = json.loads(as_trace(facts))["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    files = [event for event in spans if event["name"].endswith(".sim")]
    assert len(files) == 6
    assert {event["pid"] for event in files} == {4000, 4001}
    for file in files:
        inside = [
            event
            for event in spans
            if event is not file
            and event["pid"] == file["pid"]
            and file["ts"] - 1 <= event["ts"] < file["ts"] + file["dur"] - 1
            and not event["name"].endswith(".sim")
        ]
        assert sum(event["dur"] for event in inside) == pytest.approx(file["dur"])
    assert {event["name"] for event in events if event["ph"] == "C"} >= {"memory_mb"}


def test_a_run_without_files_is_exported_as_well() -> None:
    facts = make_facts(0)
    assert as_csv(facts) == ""
    assert json.loads(as_trace(facts))
