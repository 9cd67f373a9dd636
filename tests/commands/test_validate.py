"""``digitalmodel-optimizer validate``: exit statuses, scratch folders, samples, folders."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

Dmo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    study = replace(DM_FSTS, files=6, file_mb=0.7, duration_s=20.0)
    list(write_files(study, tmp_path / "sim"))
    return write_configuration(tmp_path, study, enabled=False)


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_sample_of_a_batch_is_equal_and_nothing_of_the_users_is_touched(
    dmo: Dmo, tmp_path: Path, batch: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = state(tmp_path)
    file = tmp_path_factory.mktemp("json") / "found.json"
    words = ("--sample", "35%", "--seed", "7", "--json", str(file))
    done = dmo("validate", *words, batch.name, "--meta", "label=night")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sample: 2 input files, drawn by --seed 7" in done.stdout
    assert state(tmp_path) == before
    found = json.loads(file.read_text())
    assert (found["equal"], found["seed"], len(found["inputs"])) == (True, 7, 2)
    names = {item["name"] for item in found["files"]}
    assert {"dm_fsts_night_struts.csv", "dm_fsts_night.yml"} <= names
    assert sum(name.endswith("_motions.csv") for name in names) == 3  # two files, and vessels


def test_a_difference_between_host_and_plugins_is_status_1(
    dmo: Dmo, tmp_path: Path, batch: Path
) -> None:
    """A plugin of somebody else's that rounds what the model answers."""
    place = tmp_path / "installed"
    info = place / "rounding-0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: rounding\nVersion: 0\n")
    info.joinpath("entry_points.txt").write_text(
        "[digitalmodel_optimizer.plugins]\nrounding = rounding\n"
    )
    (place / "rounding.py").write_text(
        "from digitalmodel_optimizer.plugin import hookimpl\n\n"
        "@hookimpl(wrapper=True)\n"
        "def optimizer_read_results():\n"
        "    answers = yield\n"
        "    return [item.round(2) if hasattr(item, 'round') else item for item in answers]\n"
    )
    words = ("--sample", "1", "--keep", "kept")
    done = dmo("validate", *words, batch.name, PYTHONPATH=str(place))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "equal but for" in " ".join(done.stdout.replace("│", " ").split())
    assert (tmp_path / "kept" / "host" / "dm_fsts_struts.csv").is_file()
    assert (tmp_path / "kept" / "plugins" / "dm_fsts_struts.csv").is_file()
    again = dmo("validate", "kept/host", "kept/plugins")
    assert again.returncode == 1
    assert "first difference: row" in " ".join(again.stdout.replace("│", " ").split())


def test_two_equal_folders(dmo: Dmo, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x_main.csv").write_text("time,X\n0.0,1\n")
    done = dmo("validate", "a", "b")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 file equal")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.yml",), "there is no file or folder nowhere.yml"),
        (("a", "nowhere"), "there is no folder nowhere"),
        (("a",), "name one more behind it"),
        (("a", "a"), "there are no files in a and a"),
        (("--sample", "5%", "a", "a"), "two folders have none"),
        (("--sample", "some", "dm.yml"), "must be a share (5%) or a number"),
        (("--seed", "5", "dm.yml"), "needs --sample"),
        (("dm.yml",), "dm.yml"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_status_2(
    dmo: Dmo, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "dm.yml").write_text("meta: {basename: orcaflex_post_process}\n")
    done = dmo("validate", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert said in line


def test_a_host_that_fails_on_a_file_leaves_nothing_to_compare(
    dmo: Dmo, tmp_path: Path, batch: Path
) -> None:
    (tmp_path / "sim" / "broken.sim").write_bytes(b"no simulation")
    done = dmo("validate", batch.name)
    assert done.returncode == 2
    assert "the run of the host's own loop ended with status 1" in done.stderr
