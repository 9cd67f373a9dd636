"""What others plant in the results folder is neither followed nor run nor believed."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from digitalmodel_optimizer.batch.staging import FOLDER_PREFIX, JOURNAL_NAME, Staging
from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    OutputError,
    SimulationFile,
    private,
)
from digitalmodel_optimizer.report.error_logs import write_error_logs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners of POSIX")


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    folder = tmp_path / "precious"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "kept.txt").write_text("kept")
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_staging_folder_is_its_owners_alone(results: Path) -> None:
    staging = Staging(str(results), "abc")
    assert os.stat(staging.folder).st_mode & 0o777 == 0o700
    for path in Path(staging.folder).iterdir():
        assert path.stat().st_mode & 0o077 == 0 or path.name == "lock"
    staging.remove()


def test_a_link_in_its_place_is_refused_and_what_it_points_at_stays(
    results: Path, precious: Path
) -> None:
    (results / f"{FOLDER_PREFIX}abc").symlink_to(precious)
    before = content(precious)
    with pytest.raises(OutputError, match=r"\.dmo-abc.* is a link or a file.*remove it"):
        Staging(str(results), "abc")
    assert content(precious) == before


def test_a_folder_that_others_can_write_to_is_refused(results: Path) -> None:
    folder = results / f"{FOLDER_PREFIX}abc"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(OutputError, match=r"can be written to by others.*remove it"):
        Staging(str(results), "abc")


def test_a_folder_of_another_user_is_refused(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results / f"{FOLDER_PREFIX}abc"
    folder.mkdir(mode=0o700)
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(folder, 12345, -1)
    with pytest.raises(OutputError, match="belongs to another user"):
        Staging(str(results), "abc")


def test_where_the_file_system_keeps_no_modes_that_is_no_reason_to_refuse(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mounted shares show the same owner and mode for everything."""
    mkdir = os.mkdir

    def loose(path: str, mode: int = 0o777) -> None:
        mkdir(path, mode)
        os.chmod(path, 0o777)

    monkeypatch.setattr(private.os, "mkdir", loose)
    for _ in range(2):
        Staging(str(results), "abc").close()


@pytest.mark.parametrize("name", ["lock", "owner.json", JOURNAL_NAME])
@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_links_among_our_own_files_are_not_written_through(
    results: Path, precious: Path, name: str, kind: str
) -> None:
    folder = results / f"{FOLDER_PREFIX}abc"
    folder.mkdir(mode=0o700)
    target = precious / "inner" / "kept.txt"
    if kind == "symbolic":
        (folder / name).symlink_to(target)
    else:
        os.link(target, folder / name)
    before = content(precious)
    sim = SimulationFile(0, str(results / "a.sim"), 0)
    with contextlib.suppress(OutputError) if name == "lock" else contextlib.nullcontext():
        staging = Staging(str(results), "abc")
        staging.finish(FileResult(sim))
        assert staging.noted([sim]) == {}
        staging.remove()
    assert content(precious) == before


def test_of_links_in_the_staging_folder_the_links_go(results: Path, precious: Path) -> None:
    staging = Staging(str(results), "abc")
    Path(staging.folder, "0-1-00000000").symlink_to(precious)
    Path(staging.folder, "1-1-00000000").mkdir()
    Path(staging.folder, "1-1-00000000", "inner").symlink_to(precious)
    before = content(precious)
    staging.close()
    Staging(str(results), "abc").remove()
    assert content(precious) == before
    assert not list(results.iterdir())


def test_what_looks_like_an_outdated_folder_is_not_followed(results: Path, precious: Path) -> None:
    old = Staging(str(results), "old", "dm.yml")
    old.close()
    Path(old.folder).rename(precious / "old")
    (results / f"{FOLDER_PREFIX}old").symlink_to(precious / "old")
    before = content(precious)
    staging = Staging(str(results), "abc", "dm.yml")
    staging.remove_outdated()
    staging.remove()
    assert content(precious) == before


# -- error logs ----------------------------------------------------------------------------------


def report(results: Path, *files: FileResult) -> BatchReport:
    batch = Batch("abc", tuple(result.file for result in files), str(results))
    return BatchReport(batch, files, None, "serial", 0.0, (), (), 0.0)


def finished(path: str, message: str | None, kind: ErrorKind = ErrorKind.ENGINE) -> FileResult:
    error = None if message is None else FileError(kind, message)
    return FileResult(SimulationFile(0, path, 0), error)


def test_an_error_log_is_not_written_through_a_link(results: Path, precious: Path) -> None:
    target = precious / "inner" / "kept.txt"
    (results / "a_error.log").symlink_to(target)
    write_error_logs(report(results, finished("sim/a.sim", "broken")))
    assert target.read_text() == "kept"
    assert "broken" in (results / "a_error.log").read_text()
    assert not (results / "a_error.log").is_symlink()
    assert [path.name for path in results.iterdir()] == ["a_error.log"]


def test_the_success_of_one_file_leaves_the_log_of_its_namesake(results: Path) -> None:
    for order in (1, -1):
        both = (finished("one/a.sim", "broken"), finished("two/a.sim", None))[::order]
        write_error_logs(report(results, *both))
        assert "broken" in (results / "a_error.log").read_text()
    both = (finished("one/a.sim", "broken"), finished("two/a.sim", "also broken"))
    write_error_logs(report(results, *both))
    text = (results / "a_error.log").read_text()
    assert "one/a.sim" in text
    assert "two/a.sim" in text
    stopped = finished("two/a.sim", "stopped", ErrorKind.STOPPED)
    write_error_logs(report(results, finished("one/a.sim", None), stopped))
    assert (results / "a_error.log").exists(), "nothing is known of the second"
    write_error_logs(report(results, finished("one/a.sim", None), finished("two/a.sim", None)))
    assert not list(results.iterdir())


def test_a_log_whose_name_is_too_long_is_a_warning(results: Path) -> None:
    long = report(results, finished(f"sim/{'a' * 250}.sim", "broken"))
    (warning,) = write_error_logs(long).warnings
    assert "could not be updated" in warning
    assert not list(results.iterdir())
