"""Faults and slowness on request, and the log that is kept of processes."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand_in import run_child

from simulated_orcaflex import (
    Crash,
    Faults,
    FaultyVariable,
    Hang,
    LicenceFault,
    LicenceLoss,
    LoadFailure,
    OutOfMemory,
    read_log,
)

Writer = Callable[..., Path]
LOAD = "import sys, OrcFxAPI\nmodel = OrcFxAPI.Model(sys.argv[1])\nprint(len(model.objects))\n"
STAGES = """
import os, sys, OrcFxAPI
print("load", flush=True)
model = OrcFxAPI.Model(sys.argv[1])
print("enumerate", flush=True)
model.objects
print("read", flush=True)
model["Vessel 1"].TimeHistory("X")
print("write", flush=True)
folder, name = os.path.split(sys.argv[1])
open(os.path.join(folder, "other_x.csv"), "w").close()
open(os.path.join(folder, name.replace(".sim", "_x.csv")), "w").close()
print("done")
"""


def status_of(api: Any, call: Callable[[], object]) -> int:
    with pytest.raises(api.DLLError) as caught:
        call()
    return int(caught.value.status)


def test_a_slow_load_lets_other_threads_run(api: Any, write: Writer) -> None:
    path = write(faults=Faults(load_s=0.3))
    ticks = []

    def tick() -> None:
        for _ in range(10):
            time.sleep(0.01)
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.monotonic()
    model = api.Model(str(path))
    end = time.monotonic()
    assert end - begin >= 0.3
    thread.join()
    assert ticks[-1] < end
    assert len(model.objects) == 11


def test_a_licence_is_lost_while_results_are_read_and_comes_back(api: Any, write: Writer) -> None:
    model = api.Model(str(write(faults=Faults(licence_loss=LicenceLoss(after_reads=1, calls=2)))))
    vessel = model["Vessel 1"]
    assert vessel.TimeHistory("X").size
    assert status_of(api, lambda: vessel.TimeHistory("X")) == 25
    assert status_of(api, lambda: model.state) == 25
    assert vessel.TimeHistory("X").size


def test_a_speed_limit(api: Any, write: Writer) -> None:
    path = write(size_mb=2.0, faults=Faults(load_mb_per_s=10.0))
    begin = time.monotonic()
    model = api.Model(str(path))
    assert time.monotonic() - begin >= 0.19
    assert model


def test_slow_calls_and_slow_results(api: Any, write: Writer) -> None:
    model = api.Model(str(write(faults=Faults(call_s=0.02, result_s=0.05))))
    begin = time.monotonic()
    model["Vessel 1"].TimeHistory("X", 32003)
    assert time.monotonic() - begin >= 0.11


def test_a_load_fails_a_number_of_times(api: Any, write: Writer, tmp_path: Path) -> None:
    failure = LoadFailure(status=7, times=2, counter="attempts")
    path = str(write(faults=Faults(fail_load=failure)))
    assert [status_of(api, lambda: api.Model(path)) for _ in range(2)] == [7, 7]
    assert len(api.Model(path).objects) == 11
    assert len(list(tmp_path.glob("attempts.*"))) == 2


def test_faults_from_the_environment_are_for_named_files(
    api: Any, write: Writer, faults_in_environment: Callable[[Faults], None]
) -> None:
    good, bad = str(write("good.sim")), str(write("bad_1.sim"))
    faults_in_environment(Faults(files="bad_*", fail_load=LoadFailure(status=67)))
    assert len(api.Model(good).objects) == 11
    assert status_of(api, lambda: api.Model(bad)) == 67


def test_one_variable_fails(api: Any, write: Writer) -> None:
    fault = FaultyVariable("Effective Tension", "Mooring 1", status=8)
    model = api.Model(str(write(faults=Faults(variable=fault))))

    def read(name: str) -> Any:
        return model[name].TimeHistory("Effective Tension", None, api.oeEndA)

    assert status_of(api, lambda: read("Mooring 1")) == 8
    assert read("Mooring 2").size == 401
    assert status_of(api, lambda: model["Mooring 1"].RangeGraph("Effective Tension")) == 8


def test_unknown_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown faults: load_seconds"):
        Faults.from_mapping({"load_seconds": 1})


def test_faults_survive_json() -> None:
    faults = Faults(load_s=1.0, crash=Crash("kill", 1, "c"), licence=LicenceFault(2, "x"))
    assert Faults.from_mapping(faults.as_mapping()) == faults


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown stage save; choose from load, enumerate"):
        Faults.from_mapping({"hang": {"stage": "save"}})


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("stage", ["load", "enumerate", "read", "write"])
@pytest.mark.parametrize(
    ("crash", "code"),
    [
        (Crash("segfault"), -signal.SIGSEGV),
        (Crash("kill"), -signal.SIGKILL),
        (Crash("exit", code=0), 0),
    ],
)
def test_a_crash_strikes_at_its_stage(write: Writer, stage: str, crash: Crash, code: int) -> None:
    path = write("case.sim")
    faults = Faults(files="case.sim", crash=replace(crash, stage=stage)).as_json()
    done = run_child(STAGES, path, check=False, SIMULATED_ORCAFLEX_FAULTS=faults)
    assert done.returncode == code
    assert done.stdout.split()[-1] == stage


@pytest.mark.parametrize("stage", ["load", "enumerate", "read", "write"])
def test_a_lack_of_memory_is_an_error_at_its_stage(write: Writer, stage: str) -> None:
    path = write("case.sim")
    faults = Faults(files="case.sim", memory=OutOfMemory(stage=stage)).as_json()
    done = run_child(STAGES, path, check=False, SIMULATED_ORCAFLEX_FAULTS=faults)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "MemoryError"
    assert done.stdout.split()[-1] == stage


def test_a_lack_of_memory_passes_with_its_times(
    api: Any, write: Writer, faults_in_environment: Callable[[Faults], None], tmp_path: Path
) -> None:
    lack = OutOfMemory(times=1, counter=str(tmp_path / "lack"), stage="read")
    faults_in_environment(Faults(files="case.sim", memory=lack))
    model = api.Model(str(write("case.sim")))
    with pytest.raises(MemoryError):
        model["Vessel 1"].TimeHistory("X")
    assert model["Vessel 1"].TimeHistory("X").size


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("how", "code"), [("abort", -signal.SIGABRT), ("kill", -9), ("exit", 3)])
def test_a_crash_ends_the_process_the_first_time(write: Writer, how: str, code: int) -> None:
    path = write(faults=Faults(crash=Crash(how, times=1, counter="crashes")))
    assert run_child(LOAD, path, check=False).returncode == code
    assert run_child(LOAD, path).stdout.strip() == "11"


def test_a_hang_does_not_end(write: Writer) -> None:
    path = write(faults=Faults(hang=Hang()))
    code = "import os, threading\nthreading.Timer(1.0, lambda: os._exit(42)).start()\n" + LOAD
    assert run_child(code, path, check=False).returncode == 42


def test_a_leak_grows_the_process(write: Writer) -> None:
    path = write(faults=Faults(leak_mb=50.0))
    code = LOAD + (
        "from simulated_orcaflex.loading import _leaked\nprint(sum(map(len, _leaked)))\n"
    )
    assert run_child(code, path).stdout.split()[-1] == "50000000"


def test_the_licence_is_refused_at_first(
    api: Any, tmp_path: Path, faults_in_environment: Callable[[Faults], None]
) -> None:
    licence = LicenceFault(refuse_first=2, counter=str(tmp_path / "refused"))
    faults_in_environment(Faults(licence=licence))
    assert [status_of(api, api.Model) for _ in range(2)] == [25, 25]
    assert api.Model().threadCount >= 1


def test_only_so_many_processes_have_a_licence(
    api: Any, tmp_path: Path, faults_in_environment: Callable[[Faults], None]
) -> None:
    faults_in_environment(Faults(licence=LicenceFault(licences=1, folder=str(tmp_path))))
    model, second = api.Model(), api.Model()
    code = """
import OrcFxAPI
try:
    OrcFxAPI.Model()
    print("granted")
except OrcFxAPI.DLLError as error:
    print(int(error.status))
"""
    assert run_child(code).stdout.strip() == "25"
    del model
    assert run_child(code).stdout.strip() == "25"
    del second
    assert run_child(code).stdout.strip() == "granted"


def test_a_killed_process_gives_its_licence_back(api: Any, tmp_path: Path) -> None:
    faults = Faults(licence=LicenceFault(licences=1, folder=str(tmp_path))).as_json()
    code = "import OrcFxAPI, os\nmodel = OrcFxAPI.Model()\nprint('held', flush=True)\nos._exit(1)"
    for _ in range(2):
        done = run_child(code, check=False, SIMULATED_ORCAFLEX_FAULTS=faults)
        assert done.stdout.strip() == "held"
    assert api


def test_the_log_tells_what_became_of_each_process(write: Writer, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    path = write()
    run_child(LOAD + "del model\n", path, SIMULATED_ORCAFLEX_LOG=str(logs))
    run_child(
        LOAD + "import os; os._exit(1)\n", path, check=False, SIMULATED_ORCAFLEX_LOG=str(logs)
    )
    clean, killed = sorted(read_log(logs), key=lambda record: record.alive)
    assert (clean.created, clean.destroyed, clean.alive, clean.ended) == (1, 1, 0, True)
    assert clean.native_calls["C_LoadSimulationW"] == 1
    assert (killed.alive, killed.loaded, killed.ended) == (1, 1, False)
    assert clean.affinity_breaches == killed.affinity_breaches == 0
