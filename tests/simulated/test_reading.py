"""What the genuine wrapper reads through the stand-in."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulated_orcaflex import (
    CurrentDescription,
    EnvironmentDescription,
    ObjectDescription,
    SimulationDescription,
    VariableDescription,
    write_simulation,
)

Writer = Callable[..., Path]


@pytest.fixture
def model(api: Any, write: Writer) -> Iterator[Any]:
    loaded = api.Model(str(write()))
    yield loaded
    # pytest keeps the fixture's value longer than the test: end the model, not the object.
    api._DestroyModel(loaded.handle, api.ctypes.c_int())
    loaded.ownsModelHandle = False


def status_of(api: Any, call: Callable[[], object]) -> str:
    with pytest.raises(api.DLLError) as caught:
        call()
    assert caught.value.errorString
    return str(api.StatusCode(caught.value.status).name)


def test_a_finished_run(model: Any, api: Any) -> None:
    assert model.state == api.ModelState.SimulationStopped
    assert model.simulationComplete
    assert (model.simulationStartTime, model.simulationStopTime) == (-10.0, 30.0)
    assert model.simulationTimeStatus.CurrentTime == 30.0
    assert model.simulationTimeToGo == 0.0
    assert model.isTimeDomainDynamics
    assert not model.isFrequencyDomainDynamics
    assert model.warnings == ()
    assert api.DLLVersion().startswith("11.")


def test_objects(model: Any, api: Any) -> None:
    names = [item.name for item in model.objects]
    assert names[:4] == ["General", "Environment", "Vessel 1", "Vessel 2"]
    assert len(model) == len(names) == 2 + 2 + 2 + 1 + 1 + 3
    assert "Mooring 1" in model
    assert "Mooring 9" not in model
    assert model["Mooring 1"].type == api.ObjectType.Line
    assert model["Line Type 1"].typeName == "Line Type"
    assert model["vessel 1"].handle.value == model["Vessel 1"].handle.value
    with pytest.raises(KeyError):
        model["Mooring 9"]


def test_long_names_are_whole(api: Any, tmp_path: Path) -> None:
    name = "L" * 80
    write_simulation(
        tmp_path / "long.sim", SimulationDescription((ObjectDescription(name, "Line"),))
    )
    model = api.Model(str(tmp_path / "long.sim"))
    assert model.objects[-1].name == name


def test_variables(model: Any, api: Any) -> None:
    line = model["Mooring 1"]
    assert "Effective Tension" in line.vars()
    assert line.vars(api.ResultType.RangeGraph) == line.vars()
    assert model["Vessel 1"].vars(api.ResultType.RangeGraph) == ()
    first = model["Vessel 1"].varDetails()[0]
    assert (first.VarName, first.VarUnits) == ("X", "m")
    assert line.varID("Effective Tension") == model["Mooring 2"].varID("Effective Tension")
    assert status_of(api, lambda: line.varID("Rotation 1")) == "UnrecognisedVarName"
    needed = line.RequiredObjectExtraFields("Effective Tension")
    assert needed == [api.ObjectExtraField.LinePoint]
    assert line.LineResultPoints("Effective Tension") == api.LineResultPoints.Nodes


def test_sample_times(model: Any, api: Any) -> None:
    times = model.SampleTimes()
    assert times.size == model.SampleCount() == 401
    assert times[0] == -10.0
    assert times[-1] == pytest.approx(30.0)
    assert np.allclose(np.diff(times), 0.1)
    assert model.general.ActualLogSampleInterval == 0.1
    assert model.SampleTimes(api.PeriodNum.StaticState).size == 1


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ((0.0, 10.0), 0.0, 10.0),
        ((0.05, 0.34), 0.1, 0.3),
        ((-100.0, 1000.0), -10.0, 30.0),
        ((5.03, 5.04), 5.0, 5.0),
        (0, -10.0, 0.0),
        (1, 0.0, 30.0),
        (32005, 30.0, 30.0),
        (32002, 23.5, 30.0),
    ],
)
def test_periods(model: Any, period: Any, first: float, last: float) -> None:
    times = model.SampleTimes(period)
    assert (times[0], times[-1]) == (pytest.approx(first), pytest.approx(last))
    values = model["Vessel 1"].TimeHistory("X", period)
    whole = model["Vessel 1"].TimeHistory("X")
    start = round((times[0] + 10.0) / 0.1)
    assert np.array_equal(values, whole[start : start + times.size])


def test_impossible_periods(model: Any, api: Any) -> None:
    assert status_of(api, lambda: model.SampleTimes((10.0, 5.0))) == "InvalidPeriod"
    assert status_of(api, lambda: model.SampleTimes((50.0, 60.0))) == "PeriodNotYetStarted"
    assert status_of(api, lambda: model.SampleTimes(7)) == "InvalidPeriod"
    assert status_of(api, lambda: api.Model().SampleTimes(32003)) == "InvalidModelState"


def test_the_static_state_has_values_of_its_own(api: Any, tmp_path: Path) -> None:
    variable = VariableDescription("Tension", "kN", mean=5.0, wave_frequency_std=1.0, static=80.0)
    item = ObjectDescription("Hawser", "Link", (variable,))
    write_simulation(tmp_path / "static.sim", SimulationDescription((item,)))
    model = api.Model(str(tmp_path / "static.sim"))
    static = model["Hawser"].StaticResult("Tension")
    assert static == pytest.approx(80.0, abs=1.0)
    assert model["Hawser"].TimeHistory("Tension").mean() == pytest.approx(5.0, abs=1.5)


def test_one_and_many_time_histories_agree_to_the_bit(model: Any, api: Any) -> None:
    line, vessel, sea = model["Mooring 1"], model["Vessel 1"], model.environment
    wanted = [
        (line, "Effective Tension", api.oeEndA),
        (line, "Effective Tension", api.oeArcLength(77.0)),
        (line, "Bend Moment", api.oeTouchdown),
        (vessel, "X", None),
        (vessel, "X", api.oeVessel(10.0, -4.0, 7.0)),
        (vessel, "Z", api.oeVessel(10.0, -4.0, 7.0)),
        (sea, "Elevation", api.oeEnvironment(40.0, 12.0, 0.0)),
        (model["Hawser 1"], "Tension", None),
    ]
    specifications = [api.TimeHistorySpecification(*entry) for entry in wanted]
    for period in (None, (0.0, 20.0), api.PeriodNum.StaticState):
        many = api.GetMultipleTimeHistories(specifications, period)
        for column, (item, name, extra) in enumerate(wanted):
            one = item.TimeHistory(name, period, extra)
            assert np.array_equal(many[:, column], one), (name, period)
            assert one.dtype == np.float64
    several = line.TimeHistory(["Effective Tension", "Bend Moment"], None, api.oeEndB)
    assert np.array_equal(several[:, 1], line.TimeHistory("Bend Moment", None, api.oeEndB))


def test_results_depend_on_where(model: Any, api: Any) -> None:
    line, vessel = model["Mooring 1"], model["Vessel 1"]

    def tension(extra: Any) -> Any:
        return line.TimeHistory("Effective Tension", None, extra)

    assert not np.array_equal(tension(api.oeEndA), tension(api.oeEndB))
    assert np.array_equal(tension(api.oeEndA), tension(api.oeArcLength(0.0)))
    assert np.array_equal(tension(api.oeEndA), tension(api.oeNodeNum(1)))
    assert np.array_equal(tension(api.oeEndB), tension(api.oeArcLength(200.0)))
    assert np.array_equal(tension(api.oeTouchdown), tension(api.oeArcLength(140.0)))
    assert line.NearestNodeArclength(33.0) == 40.0
    assert np.array_equal(tension(api.oeArcLength(33.0)), tension(api.oeArcLength(40.0)))
    origin = vessel.TimeHistory("X", None, api.oeVessel(0.0, 0.0, 0.0))
    assert np.array_equal(origin, vessel.TimeHistory("X"))
    assert not np.array_equal(origin, vessel.TimeHistory("X", None, api.oeVessel(50.0, 0.0, 0.0)))
    sea = model.environment
    here = sea.TimeHistory("Elevation", None, api.oeEnvironment(0.0, 0.0, 0.0))
    there = sea.TimeHistory("Elevation", None, api.oeEnvironment(60.0, 0.0, 0.0))
    assert not np.array_equal(here, there)


def test_a_wrong_place_is_refused(model: Any, api: Any) -> None:
    line = model["Mooring 1"]

    def reading(extra: Any) -> Callable[[], object]:
        return lambda: line.TimeHistory("Effective Tension", None, extra)

    assert status_of(api, reading(None)) == "InvalidObjectExtra"
    assert status_of(api, reading(api.oeArcLength(201.0))) == "InvalidObjectExtra"
    assert status_of(api, reading(api.oeNodeNum(12))) == "NoSuchNodeNum"
    with pytest.raises(ctypes.ArgumentError):
        reading(api.arSpecifiedSections(1, 1))()


def test_a_range_graph_is_that_of_the_time_histories(model: Any, api: Any) -> None:
    line = model["Mooring 1"]
    period = api.SpecifiedPeriod(0.0, 30.0)
    graph = line.RangeGraph("Effective Tension", period)
    assert np.array_equal(graph.X, line.NodeArclengths)
    assert np.array_equal(graph.X, line.RangeGraphXaxis("Effective Tension"))
    for index, arc_length in enumerate(graph.X):
        history = line.TimeHistory("Effective Tension", period, api.oeArcLength(arc_length))
        assert graph.Min[index] == history.min()
        assert graph.Max[index] == history.max()
        assert graph.Mean[index] == pytest.approx(history.mean())
        assert graph.StdDev[index] == pytest.approx(history.std())


def test_ranges_of_arc_length(api: Any, tmp_path: Path) -> None:
    line = ObjectDescription(
        "Riser", "Line", nodes=11, length_m=100.0, section_lengths_m=(30.0, 70.0)
    )
    write_simulation(tmp_path / "riser.sim", SimulationDescription((line,)))
    model = api.Model(str(tmp_path / "riser.sim"))
    riser = model["Riser"]

    def places(chosen: Any) -> list[float]:
        graph = riser.RangeGraph("Bend Moment", None, arclengthRange=chosen)
        return [float(value) for value in graph.X]

    assert places(api.arSpecifiedArclengths(10.0, 35.0)) == [10.0, 20.0, 30.0]
    assert places(api.arSpecifiedArclengths(42.0, 42.0)) == [40.0]
    assert places(api.arSpecifiedSections(1, 1)) == [0.0, 10.0, 20.0, 30.0]
    assert len(places(api.arSpecifiedSections(1, 2))) == 11
    assert places(api.arEntireRange())[-1] == 100.0
    for wrong in (api.arSpecifiedArclengths(200.0, 300.0), api.arSpecifiedSections(0, 1)):
        assert status_of(api, lambda wrong=wrong: places(wrong)) == "InvalidArclengthRange"
    with pytest.raises(ctypes.ArgumentError):
        places(api.oeEndA)


def test_linked_statistics(model: Any, api: Any) -> None:
    line = model["Mooring 1"]
    names = ["Effective Tension", "Bend Moment"]
    answer = line.LinkedStatistics(names, (0.0, 30.0), api.oeEndA).Query(*names)
    tension = line.TimeHistory(names[0], (0.0, 30.0), api.oeEndA)
    moment = line.TimeHistory(names[1], (0.0, 30.0), api.oeEndA)
    assert answer.ValueAtMax == tension.max()
    assert answer.ValueAtMin == tension.min()
    assert answer.LinkedValueAtMax == moment[tension.argmax()]
    assert answer.TimeOfMax == pytest.approx(0.1 * tension.argmax())
    assert answer.Mean == pytest.approx(tension.mean())


def test_data_items(model: Any, api: Any) -> None:
    sea, general = model.environment, model.general
    assert sea.WaveHs == 1.25
    assert sea.ActiveCurrent == "Current 10yr"
    assert sea.RefCurrentSpeed == 0.9
    sea.SelectedCurrent = "Current 1yr"
    assert (sea.RefCurrentSpeed, sea.RefCurrentDirection) == (0.6, 30.0)
    sea.SelectedCurrentIndex = 1
    assert sea.SelectedCurrent == "Current 10yr"
    assert list(sea.CurrentName) == ["Current 1yr", "Current 10yr"]
    assert sea.GetData("WaveTp", 0) == 6.5
    assert sea.MultipleCurrentDataCanBeDefined is True
    assert list(general.StageDuration) == [10.0, 30.0]
    general.StageDuration = [10.0, 20.0, 10.0]
    assert general.GetDataRowCount("StageDuration") == 3
    model["Mooring 1"].name = "Chain"
    assert "Mooring 1" not in model
    assert model["Chain"].Name == "Chain"
    assert model["Chain"].lineTypeAt(10.0).name == "Line Type 1"
    assert model.latestFileName.endswith("case.sim")
    with pytest.raises(AttributeError):
        _ = sea.NoSuchItem
    assert status_of(api, lambda: sea.GetData("NoSuchItem", 0)) == "InvalidDataName"
    assert status_of(api, lambda: general.GetData("StageDuration", 9)) == "InvalidIndex"
    assert status_of(api, lambda: sea.SetData("SelectedCurrent", 0, "x")) == "InvalidValue"


def test_a_described_environment(api: Any, tmp_path: Path) -> None:
    sea = EnvironmentDescription(currents=(CurrentDescription("C", 1.5, 45.0),), water_depth_m=77)
    write_simulation(tmp_path / "sea.sim", SimulationDescription(environment=sea))
    model = api.Model(str(tmp_path / "sea.sim"))
    assert model.environment.RefCurrentDirection == 45.0
    assert model.environment.WaterDepth == 77


def test_thread_count(api: Any, write: Writer) -> None:
    assert api.Model(str(write()), threadCount=3).threadCount == 3
    model = api.Model()
    assert model.threadCount >= 1
    model.threadCount = 2
    assert model.threadCount == 2


def test_an_unfinished_run(api: Any, write: Writer) -> None:
    model = api.Model(str(write(current_time_s=12.0)))
    assert model.state == api.ModelState.SimulationStoppedUnstable
    assert not model.simulationComplete
    assert model.simulationTimeStatus.CurrentTime == 12.0
    assert model.simulationStopTime == 30.0
    assert model.SampleTimes()[-1] == pytest.approx(12.0)
    assert model["Vessel 1"].TimeHistory("X", (0.0, 30.0)).size == 121


def test_a_static_state_file(api: Any, tmp_path: Path) -> None:
    description = SimulationDescription(
        (ObjectDescription("Ship", "Vessel"),), state="InStaticState"
    )
    path = str(tmp_path / "static.sim")
    write_simulation(path, description)
    assert api.BinaryFileType(path) == api.FileType.StaticStateSimulationFile
    model = api.Model(path)
    assert model["Ship"].TimeHistory("X").size == 1
    assert status_of(api, lambda: model.SampleTimes(32003)) == "PeriodNotYetStarted"


def test_a_function_that_is_not_there_says_so_itself(model: Any, api: Any) -> None:
    with pytest.raises(api.MissingRequirementError, match="C_CalculateStatics"):
        model.CalculateStatics()


def test_loading_again_replaces_the_objects(api: Any, write: Writer) -> None:
    model = api.Model(str(write("a.sim")))
    old = model["Mooring 1"]
    model.LoadSimulation(str(write("b.sim", seed=2)))
    assert model["Mooring 1"].TimeHistory("Effective Tension", None, api.oeEndA).size == 401
    assert status_of(api, lambda: old.varID("Effective Tension")) == "ObjectHandleError"
    assert model.environment.WaveHs == 1.5


def test_loading_from_memory(api: Any, write: Writer) -> None:
    path = write()
    model, other = api.Model(), api.Model(str(path))
    model.LoadSimulationMem(path.read_bytes())
    ours = model["Vessel 1"].TimeHistory("X")
    assert np.array_equal(ours, other["Vessel 1"].TimeHistory("X"))


def test_the_progress_handler_may_cancel(api: Any, write: Writer) -> None:
    model, seen = api.Model(), []

    def handler(_model: object, progress: int) -> bool:
        seen.append(progress)
        return True

    model.progressHandler = handler
    assert status_of(api, lambda: model.LoadSimulation(str(write()))) == "OperationCancelled"
    assert seen == [100]
    model.progressHandler = None
