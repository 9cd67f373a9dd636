"""All hooks of one run, in the order in which a stranger's plugin meets them."""

from __future__ import annotations

import os
from pathlib import Path

import command
import pytest
from batches import backend, column, series, write

PLUGIN = """
import os
from digitalmodel_optimizer.plugin import Option, PluginOptions, hookimpl

def tell(name, detail=""):
    with open(os.environ["RECORD"], "a") as stream:
        stream.write(f"{os.getpid()} {name} {detail}".strip() + "\\n")

@hookimpl
def optimizer_options():
    return PluginOptions("Records.", (Option("word", str, "", "A word."),))

@hookimpl
def optimizer_configure(settings):
    tell("configure", settings.plugin("recorder")["word"])

@hookimpl
def optimizer_worker_prepared():
    tell("worker_prepared")

@hookimpl
def optimizer_worker_started():
    tell("worker_started")

@hookimpl
def optimizer_batch_started(batch):
    tell("batch_started", len(batch.files))

@hookimpl
def optimizer_try_first(files):
    tell("try_first", len(files))
    return True

@hookimpl
def optimizer_group_files(files):
    tell("group_files", len(files))

@hookimpl
def optimizer_allocate(group):
    tell("allocate", len(group.files))

@hookimpl
def optimizer_execute(schedule):
    tell("execute", len(schedule.order))

@hookimpl
def optimizer_progress(progress):
    if progress.files_done == progress.files_total:
        tell("progress", "done")

@hookimpl
def optimizer_file_failed(file, attempt):
    tell("file_failed", f"{file.index} {attempt}")

@hookimpl
def optimizer_files_finished():
    tell("files_finished")

@hookimpl
def optimizer_batch_finished(report):
    tell("batch_finished", len(report.failed))

@hookimpl(wrapper=True)
def optimizer_process_file(task):
    tell("process_file", f"{task.file.index} begins")
    result = yield
    tell("process_file", f"{task.file.index} ends")
    return result

@hookimpl(wrapper=True)
def optimizer_load_model(file):
    tell("load_model", file.index)
    return (yield)

@hookimpl
def optimizer_read_results(requests):
    tell("read_results", len(requests))

@hookimpl
def optimizer_write_table(path):
    tell("write_table", path.name)
"""
PARENT = """
configure hello
batch_started 3
try_first 3
process_file 0 begins
load_model 0
read_results 2
write_table case_1_motions.csv
process_file 0 ends
group_files 2
allocate 2
execute 2
file_failed 1 1
progress done
files_finished
batch_finished 1
"""
GOOD_WORKER = """
process_file 2 begins
load_model 2
read_results 2
write_table case_3_motions.csv
process_file 2 ends
"""
BAD_WORKER = """
process_file 1 begins
load_model 1
process_file 1 ends
"""


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder of packages that holds a distribution with one plugin."""
    folder = tmp_path / "site"
    metadata = folder / "strange_recorder-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "strange_recorder.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: strange-recorder\nVersion: 1\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[digitalmodel_optimizer.plugins]\nrecorder = strange_recorder\n"
    )
    return folder


def test_each_hook_is_called_where_and_when_the_contract_says(
    stranger: Path, tmp_path: Path
) -> None:
    # The engine takes the files in the file system's order, which is sorted for this test.
    for number in (1, 2, 3):
        write(tmp_path / "sim", f"case_{number}", seed=number)
    (tmp_path / "sim" / "case_2.sim").write_bytes(b"no simulation")
    parallel = {"enabled": True, **backend("loky", recorder={"word": "hello"})}
    cfg = command.user_configuration(
        tmp_path,
        [("main", [column("y", "FST1", "Y")])],
        [("motions", [series("x", "FST1", "X")])],
        parallel=parallel,
    )
    config = command.prepare(tmp_path, cfg)
    (stranger / "sitecustomize.py").write_text(SORTED)
    parent, *workers = told_by_process(config, stranger, status=1)
    assert parent == PARENT.split("\n")[1:-1]
    start = ["configure hello", "worker_started"]
    done_by_workers: list[str] = []
    for worker in workers:
        assert worker[:2] == start
        done_by_workers += worker[2:]
    told = "\n".join(done_by_workers) + "\n"
    assert GOOD_WORKER[1:] in told
    assert BAD_WORKER[1:] in told
    assert len(done_by_workers) == (GOOD_WORKER + BAD_WORKER).count("\n") - 2


def told_by_process(config: Path, stranger: Path, status: int) -> list[list[str]]:
    """What the plugin told in each process of a run, in the order of their first words."""
    record = config.parent / "record.txt"
    path = os.pathsep.join(filter(None, [str(stranger), os.environ.get("PYTHONPATH")]))
    done = command.run(config, variables={"RECORD": str(record), "PYTHONPATH": path})
    assert done.returncode == status, done.stderr[-3000:]
    by_process: dict[str, list[str]] = {}
    for line in record.read_text().splitlines():
        pid, _, what = line.partition(" ")
        by_process.setdefault(pid, []).append(what)
    return list(by_process.values())


def test_a_worker_that_starts_early_is_prepared_before_there_are_settings(
    stranger: Path, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        write(tmp_path / "sim", f"case_{number}", seed=number)
    early = backend("loky", recorder={"word": "hello"})
    early["plugins"]["hybrid-executor"]["early_workers"] = 1
    summary = [("main", [column("y", "FST1", "Y")])]
    cfg = command.user_configuration(tmp_path, summary, [], parallel={"enabled": True, **early})
    told = told_by_process(command.prepare(tmp_path, cfg), stranger, status=0)
    prepared = [words for words in told if "worker_prepared" in words]
    assert [words[:3] for words in prepared] == [
        ["worker_prepared", "configure hello", "worker_started"]
    ]


SORTED = """
import pathlib
glob = pathlib.Path.glob
pathlib.Path.glob = lambda self, *a, **k: iter(sorted(glob(self, *a, **k)))
"""
