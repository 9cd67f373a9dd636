"""What each failure costs: its own file, and never another one's results."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command
import pytest
from batches import (
    END_A,
    backend,
    column,
    configuration,
    series,
    write,
    write_bad,
)
from host_process import (
    HostProcess,
    Outcome,
    csv_files,
    first_difference,
    hashes,
    read_tree,
    without_inputs,
)

SUMMARY = [
    ("main", [column("x", "FST1", "X"), column("t", "Mooring1", "Effective Tension", **END_A)])
]
SERIES = [("motions", [series("x", "FST1", "X"), series("y", "FST2", "Y")])]
Suffers = Callable[..., Outcome]


@pytest.fixture
def sims(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "sim", f"case_{number}", seed=number) for number in range(5)]


@pytest.fixture
def suffers(plain_host: HostProcess, plugin_host: HostProcess, tmp_path: Path) -> Suffers:
    """Runs files under faults; those in ``lost`` must fail, the others have the engine's bytes."""

    def run(
        files: list[Path],
        lost: list[Path],
        parallel: dict[str, Any],
        faults: list[dict[str, Any]] | None = None,
    ) -> Outcome:
        before = hashes(files)
        root = tmp_path / "run"
        good = [path for path in files if path not in lost]
        expected = plain_host.run(configuration(root, good, SUMMARY, SERIES, parallel=parallel))
        assert expected.error is None
        found = plugin_host.run(
            configuration(root, files, SUMMARY, SERIES, parallel=parallel),
            SIMULATED_ORCAFLEX_FAULTS=json.dumps(faults or []),
        )
        difference = first_difference(without_inputs(expected.files), without_inputs(found.files))
        assert difference is None, f"{difference}\n{found.output[-3000:]}"
        if lost:
            assert found.error is not None
            assert found.error.startswith("FilesFailedError: ")
            assert f"{len(lost)} of {len(files)} files failed" in found.error
            assert all(str(path) in found.error for path in lost)
        else:
            assert found.error is None, found.output[-3000:]
        logs = {path.name: path.read_text() for path in (root / "results").glob("*_error.log")}
        assert logs.keys() == {f"{path.stem}_error.log" for path in lost}
        assert all(str(path) in logs[f"{path.stem}_error.log"] for path in lost)
        assert hashes(files) == before
        assert not [p for p in tmp_path.glob("sim/*") if p.suffix != ".sim"], "beside the inputs"
        assert not list((root / "results").glob(".dmo-*"))
        return found

    return run


REASONS = {
    "missing": "does not exist",
    "empty": "",
    "text": "",
    "truncated": "",
    "corrupt": "",
}


@pytest.mark.parametrize("kind", sorted(REASONS))
def test_a_file_that_cannot_be_read_costs_itself(
    suffers: Suffers, sims: list[Path], tmp_path: Path, kind: str
) -> None:
    bad = write_bad(tmp_path / "sim", "bad", kind)
    for files in ([bad, *sims[:2]], [*sims[:2], bad]):
        found = suffers(files, [bad], {"use_processes": False})
        assert REASONS[kind] in (found.error or "")


def test_every_file_fails(suffers: Suffers, tmp_path: Path) -> None:
    bad = [write_bad(tmp_path / "sim", f"bad_{kind}", kind) for kind in sorted(REASONS)]
    suffers(bad, bad, {"use_processes": False})


def test_an_object_that_one_model_lacks_costs_that_file(
    suffers: Suffers, sims: list[Path], tmp_path: Path
) -> None:
    lacking = write(tmp_path / "sim", "lacking", without=("Mooring1",))
    found = suffers([sims[0], lacking, sims[1]], [lacking], {"use_processes": False})
    told = found.error or ""
    assert "'NoneType' object has no attribute 'name' (the model has no object Mooring1)" in told


def crash(pattern: str, folder: Path, times: int | None = None) -> dict[str, Any]:
    counter = str(folder / "crash")
    return {"files": pattern, "crash": {"how": "abort", "times": times, "counter": counter}}


@pytest.mark.parametrize("name", ["loky", "hybrid"])
def test_a_file_that_crashes_its_worker_once_is_tried_again(
    suffers: Suffers, sims: list[Path], tmp_path: Path, name: str
) -> None:
    found = suffers(sims, [], backend(name), [crash("case_3.sim", tmp_path, times=1)])
    assert "tried once more, alone" in " ".join(found.output.split())


def test_a_file_that_always_crashes_its_worker_costs_itself(
    suffers: Suffers, sims: list[Path], tmp_path: Path
) -> None:
    found = suffers(sims, [sims[3]], backend("loky"), [crash("case_3.sim", tmp_path)])
    assert "SIGABRT" in (found.error or "")


def test_a_first_file_that_crashes_does_not_take_the_batch_with_it(
    suffers: Suffers, sims: list[Path], tmp_path: Path
) -> None:
    suffers(sims, [sims[0]], backend("loky"), [crash("case_0.sim", tmp_path)])


def test_a_worker_that_is_killed_costs_one_retry(
    suffers: Suffers, sims: list[Path], tmp_path: Path
) -> None:
    fault = crash("case_2.sim", tmp_path, times=1)
    fault["crash"]["how"] = "kill"
    suffers(sims, [], backend("loky"), [fault])


@pytest.mark.parametrize("place", [0, 2])
def test_a_file_that_hangs_is_given_up_at_its_time_limit(
    suffers: Suffers, sims: list[Path], place: int
) -> None:
    parallel = {**backend("auto"), "timeout_per_file": 3}
    found = suffers(sims[:4], [sims[place]], parallel, [{"files": f"case_{place}.sim", "hang": {}}])
    assert "longer than 3 s" in (found.error or "")


def test_a_licence_that_is_refused_for_a_while_is_waited_for(
    plain_host: HostProcess, plugin_host: HostProcess, sims: list[Path], tmp_path: Path
) -> None:
    """The router itself needs the first licence, so refusals begin with the files."""
    waiting = {"licence_wait_first_s": 0.1, "licence_wait_longest_s": 0.2}
    fault = {
        "files": "case_[24].sim",
        "fail_load": {"status": 25, "times": 4, "counter": str(tmp_path / "licence")},
    }
    for name in ("threading", "loky"):
        for slot in tmp_path.glob("licence*"):
            slot.unlink()
        parallel = backend(name)
        parallel["plugins"]["hybrid-executor"] |= waiting
        cfg = configuration(tmp_path / "run", sims, SUMMARY, SERIES, parallel=parallel)
        expected = plain_host.run(cfg)
        found = plugin_host.run(cfg, SIMULATED_ORCAFLEX_FAULTS=json.dumps([fault]))
        assert found.error is None, found.output[-3000:]
        assert first_difference(expected.files, found.files) is None
        assert "no licence is free" in " ".join(found.output.split())


def test_fewer_licences_than_workers_slow_the_batch_and_lose_nothing(
    suffers: Suffers, sims: list[Path], tmp_path: Path
) -> None:
    parallel = backend("loky", 2)
    parallel["plugins"]["hybrid-executor"] |= {
        "licence_wait_first_s": 0.1,
        "licence_wait_longest_s": 0.3,
    }
    licence = {"licence": {"licences": 1, "folder": str(tmp_path)}}
    suffers(sims, [], parallel, [licence, {"load_s": 0.2}])


def test_a_licence_that_never_comes_is_an_error_of_its_file(
    suffers: Suffers, sims: list[Path]
) -> None:
    parallel = backend("threading")
    parallel["plugins"]["hybrid-executor"] |= {
        "licence_wait_first_s": 0.05,
        "licence_wait_total_s": 0.2,
    }
    fault = {"files": "case_1.sim", "fail_load": {"status": 25}}
    found = suffers(sims[:3], [sims[1]], parallel, [fault])
    assert "Error code: 25" in (found.error or "")


def test_an_error_log_goes_when_its_file_has_succeeded(
    plugin_host: HostProcess, tmp_path: Path
) -> None:
    bad = write_bad(tmp_path / "sim", "case", "text")
    cfg = configuration(tmp_path / "run", [bad], SUMMARY, parallel={"use_processes": False})
    log = tmp_path / "run" / "results" / "case_error.log"
    assert plugin_host.run(cfg).error is not None
    assert log.exists()
    write(tmp_path / "sim", "case")
    assert plugin_host.run_again(cfg).error is None
    assert not log.exists()


def test_error_reports_can_be_switched_off(plugin_host: HostProcess, tmp_path: Path) -> None:
    bad = write_bad(tmp_path / "sim", "case", "text")
    cfg = configuration(tmp_path / "run", [bad], SUMMARY, parallel={"use_processes": False})
    cfg["parallel_processing"] = {"save_error_reports": False}
    assert plugin_host.run(cfg).error is not None
    assert not list(tmp_path.rglob("*_error.log"))


def crash_of(name: str, folder: Path) -> dict[str, str]:
    return {"SIMULATED_ORCAFLEX_FAULTS": json.dumps([crash(name, folder)])}


@pytest.mark.parametrize("place", [0, 2])
def test_a_file_that_ends_the_whole_process_goes_last_and_apart_in_the_next_run(
    tmp_path: Path, place: int
) -> None:
    """Nothing survives a crash in the host's own process, for those who ask for it."""
    for number in range(4):
        write(tmp_path / "sim", f"case_{number}", seed=number)
    parallel = {"enabled": True, **backend("serial")}
    cfg = command.user_configuration(tmp_path, SUMMARY, SERIES, parallel=parallel)
    config = command.prepare(tmp_path, cfg)
    faults = crash_of(f"case_{place}.sim", tmp_path)
    first = command.run(config, variables=faults)
    assert first.returncode == -signal.SIGABRT
    second = command.run(config, variables=faults)
    assert second.returncode == 1, second.stderr[-3000:]
    told = " ".join(second.stderr.split())
    assert f"case_{place}: was being processed when an earlier run was interrupted" in told
    assert "1 of 4 files failed" in told
    assert "SIGABRT" in told
    found = csv_files(read_tree(tmp_path / "results"))
    assert len(found) == 4
    assert not list((tmp_path / "results").glob(".dmo-*"))
    (tmp_path / "sim" / f"case_{place}.sim").unlink()
    plain = command.run(config, variables={"DIGITALMODEL_OPTIMIZER": "off"})
    assert plain.returncode == 0
    assert first_difference(csv_files(read_tree(tmp_path / "results")), found) is None


def test_the_report_is_of_the_batch_not_of_what_was_done_again(tmp_path: Path) -> None:
    """The first file fails late; what started beside it had guessed what it would leave behind."""
    from dataclasses import replace

    from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

    study = replace(DM_FSTS, files=4, file_mb=0.5, duration_s=20.0)
    list(write_files(study, tmp_path / "sim"))
    config = write_configuration(tmp_path, study, enabled=True)
    first = next((tmp_path / "sim").glob("*.sim"))
    late = {"files": first.name, "load_s": 4.0, "fail_load": {"status": 7}}
    two = {"hybrid-executor": {"backend": "loky"}, "thread-allocation": {"worker_start_s": 0.0}}
    variables = {
        "DIGITALMODEL_OPTIMIZER_REPORT": "report.json",
        "SIMULATED_ORCAFLEX_FAULTS": json.dumps([late]),
    }
    settings = repr({"orcaflex": {"parallel": {"plugins": two}}})
    done = command.run(config, settings, variables=variables)
    assert done.returncode == 1, done.stderr[-3000:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert [item["file"] for item in report["failed"]] == [str(first)]
    assert sum(group["files"] for group in report["groups"]) == 4
    assert report["workers"] == 2


@pytest.mark.parametrize("extraction", [True, False], ids=["read ahead", "asked one by one"])
@pytest.mark.parametrize("calls", [3, None], ids=["for a moment", "for the whole file"])
def test_a_licence_that_is_lost_while_results_are_read_is_waited_for(
    suffers: Suffers, sims: list[Path], tmp_path: Path, extraction: bool, calls: int | None
) -> None:
    """The engine swallows the refusals: the table would have empty cells, and no file a fault."""
    parallel = backend("threading", 2, **{"result-extraction": {"enabled": extraction}})
    parallel["plugins"]["hybrid-executor"]["licence_wait_first_s"] = 0.05
    loss = {"after_reads": 1, "calls": calls, "times": 1, "counter": str(tmp_path / "loss")}
    found = suffers(sims, [], parallel, [{"files": "case_[13].sim", "licence_loss": loss}])
    assert "no licence is free" in " ".join(found.output.split())
    assert Path(f"{loss['counter']}.0").exists()
