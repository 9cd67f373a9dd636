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
def optimizer_expect_files(files):
    tell("expect_files", len(files))

@hookimpl
def optimizer_reuse_results(batch, files):
    tell("reuse_results", f"{len(files)} {sorted(batch.conditions)}")

@hookimpl
def optimizer_keep_results(results, record):
    tell("keep_results", [record(result) is not None for result in results])

@hookimpl
def optimizer_worker_started():
    tell("worker_started")

@hookimpl
def optimizer_batch_started(batch):
    tell("batch_started", len(batch.files))

@hookimpl
def optimizer_group_files(files):
    tell("group_files", len(files))

@hookimpl
def optimizer_allocate(group):
    tell("allocate", len(group.files))

@hookimpl
def optimizer_executor(schedule):
    tell("executor", len(schedule.order))

@hookimpl
def optimizer_progress(progress):
    if progress.files_done == progress.files_total:
        tell("progress", "done")

@hookimpl
def optimizer_file_failed(file, attempt):
    tell("file_failed", f"{file.index} {attempt}")

@hookimpl
def optimizer_file_finished(result):
    tell("file_finished", result.file.index)

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
CONDITIONS = [
    "OrcFxAPI",
    "OrcaFlex",
    "digitalmodel",
    "digitalmodel-optimizer",
    "plugins",
    "results folder",
    "settings",
]
PARENT = f"""
expect_files 3
configure hello
reuse_results 3 {CONDITIONS}
batch_started 3
group_files 3
allocate 3
executor 3
group_files 2
allocate 2
file_finished 0
file_finished 2
file_failed 1 1
file_finished 1
progress done
keep_results [True, True]
batch_finished 1
"""
FILES = (
    """
process_file 0 begins
load_model 0
read_results 2
write_table 0.csv
process_file 0 ends
""",
    """
process_file 2 begins
load_model 2
read_results 2
write_table 0.csv
process_file 2 ends
""",
    """
process_file 1 begins
load_model 1
process_file 1 ends
""",
)


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
    parallel = {"enabled": True, "threads": 1, **backend("loky", recorder={"word": "hello"})}
    parallel["cache"] = True
    # However long it takes, the first file is waited for before the others are planned.
    parallel["plugins"]["thread-allocation"] = {"worker_start_s": 100.0}
    cfg = command.user_configuration(
        tmp_path,
        [("main", [column("y", "FST1", "Y")])],
        [("motions", [series("x", "FST1", "X")])],
        parallel=parallel,
    )
    config = command.prepare(tmp_path, cfg)
    (stranger / "sitecustomize.py").write_text(SORTED)
    parent, worker = told_by_process(config, stranger, status=1)
    assert parent == PARENT.split("\n")[1:-1]
    files = "".join(text[1:] for text in FILES)
    assert worker == ["worker_started", *files.split("\n")[:-1]]


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


SORTED = """
import pathlib
glob = pathlib.Path.glob
pathlib.Path.glob = lambda self, *a, **k: iter(sorted(glob(self, *a, **k)))
"""
