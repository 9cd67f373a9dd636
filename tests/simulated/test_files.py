"""Writing files, and refusing what is none of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_in import small

from simulated_orcaflex import (
    ObjectDescription,
    SimulationDescription,
    statistics,
    write_simulation,
)

Writer = Callable[..., Path]


def load_status(api: Any, path: Path) -> str:
    with pytest.raises(api.DLLError) as caught:
        api.Model(str(path))
    return str(api.StatusCode(caught.value.status).name)


@pytest.mark.parametrize("size_mb", [1.0, 3.141593, 25.0])
def test_the_size_is_exact_and_so_is_the_memory(api: Any, write: Writer, size_mb: float) -> None:
    path = write(size_mb=size_mb)
    assert path.stat().st_size == round(size_mb * 1e6)
    before = statistics().bytes_alive
    model = api.Model(str(path))
    assert statistics().bytes_alive - before == pytest.approx(size_mb * 1e6, rel=0.02)
    assert model["Mooring 1"].TimeHistory("Bend Moment", None, api.oeEndA).size == 401
    del model
    assert statistics().bytes_alive == before


def test_a_size_below_what_the_results_need_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too small"):
        write_simulation(tmp_path / "a.sim", small(size_mb=0.01))
    assert list(tmp_path.iterdir()) == []


def test_files_are_equal_for_equal_seeds(write: Writer) -> None:
    first, again, other = write("a.sim"), write("b.sim"), write("c.sim", seed=2)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_signals_differ_by_object_variable_and_place(api: Any, write: Writer) -> None:
    model = api.Model(str(write()))
    seen = set()
    for name in ("Mooring 1", "Mooring 2"):
        for variable in ("Effective Tension", "Bend Moment"):
            for extra in (api.oeEndA, api.oeEndB):
                history = model[name].TimeHistory(variable, None, extra)
                assert history.std() > 0
                seen.add(history.tobytes())
    assert len(seen) == 8


def test_a_failed_write_leaves_the_old_file(
    write: Writer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write()
    before = path.read_bytes()

    def fail(*_arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("simulated_orcaflex.writer._write_padding", fail)
    with pytest.raises(OSError, match="disk full"):
        write_simulation(path, small(seed=9))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["case.sim"]


def test_foreign_and_damaged_files_are_refused(api: Any, write: Writer, tmp_path: Path) -> None:
    good = write().read_bytes()
    cases = {
        "foreign.sim": (b"OrcaFlex something else" * 100, "InvalidFileFormat"),
        "text.yml": (b"General:\n  StageDuration: [8]\n", "InvalidFileFormat"),
        "empty.sim": (b"", "FileReadError"),
        "magic.sim": (good[:10], "FileReadError"),
        "head.sim": (good[:30], "FileReadError"),
        "header.sim": (good[:500], "FileReadError"),
        "cut.sim": (good[:-1], "FileReadError"),
        "torn.sim": (good[:60] + b"\0" * 200 + good[260:], "FileReadError"),
    }
    for name, (content, expected) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert load_status(api, path) == expected, name
    assert load_status(api, tmp_path / "missing.sim") == "FileNotFound"
    assert load_status(api, tmp_path) == "FileReadError"


def test_data_files_are_refused(api: Any, write: Writer) -> None:
    model = api.Model()
    with pytest.raises(api.DLLError, match="simulation file"):
        model.LoadData(str(write()))


def test_wrong_descriptions_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown type"):
        ObjectDescription("a", "Submarine")
    with pytest.raises(ValueError, match="sections add up"):
        ObjectDescription("a", "Line", length_m=10.0, section_lengths_m=(3.0,))
    with pytest.raises(ValueError, match="unique"):
        SimulationDescription((ObjectDescription("a", "Line"), ObjectDescription("a", "Vessel")))
    with pytest.raises(ValueError, match="unknown state"):
        SimulationDescription(state="Happy")
