"""A batch without a file says why; a list that a script left empty is its own affair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from digitalmodel_optimizer.batch.no_input import refuse_no_files
from digitalmodel_optimizer.plugin import SettingsError


def searched(folder: Path, found: list[Path], **filename: Any) -> dict[str, Any]:
    """What the host makes of a folder that it has looked through."""
    return {
        "file_management": {
            "flag": True,
            "input_directory": "sim",
            "filename": {"extension": ["sim"], **filename},
            "input_files": {"sim": found},
        },
        "Analysis": {"file_management_input_directory": folder},
    }


def refused(cfg: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        refuse_no_files(cfg)
    (fault,) = caught.value.faults
    return fault


def test_a_folder_without_simulations(tmp_path: Path) -> None:
    (tmp_path / "case.dat").touch()
    said = f"file_management.input_directory leads to {tmp_path}, which holds no .sim file"
    assert refused(searched(tmp_path, [])) == said


def test_a_pattern_that_takes_none(tmp_path: Path) -> None:
    (tmp_path / "case.sim").touch()
    said = refused(searched(tmp_path, [], pattern="lc9"))
    assert said.startswith("file_management.filename.pattern takes *lc9*.sim, and none of the 1")


def test_filters_that_pass_none(tmp_path: Path) -> None:
    (tmp_path / "lc9.sim").touch()
    said = refused(searched(tmp_path, [], pattern="lc9", filters={"contains": ["x"]}))
    assert said.startswith("file_management.filename.filters passes none of the 1 files of")


def test_extensions_without_sim(tmp_path: Path) -> None:
    cfg = searched(tmp_path, [], extension=["dat"])
    del cfg["file_management"]["input_files"]["sim"]
    said = "file_management.filename.extension must list sim (got ['dat'])"
    assert refused(cfg).startswith(said)


def test_a_host_that_is_told_not_to_look(tmp_path: Path) -> None:
    assert refused({"file_management": {"flag": False}}).startswith("file_management.flag must be")


@pytest.mark.parametrize("listed", [[], ["case.sim"]])
def test_a_list_of_a_script_is_taken_as_it_is(listed: list[str]) -> None:
    refuse_no_files({"file_management": {"input_files": {"sim": listed}}})


def test_files_that_were_found_are_processed(tmp_path: Path) -> None:
    refuse_no_files(searched(tmp_path, [tmp_path / "case.sim"]))
