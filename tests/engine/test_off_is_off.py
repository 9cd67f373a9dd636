"""Installed but not enabled, the project changes nothing of the host and imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command
import pytest
import yaml
from batches import backend, column, write
from host_process import STAND_IN, environment

HEAVY = ("numpy", "joblib", "loky", "psutil", "pluggy", "wrapt", "rich", "typer", "ruamel", "yaml")
OURS = ("digitalmodel_optimizer", "digitalmodel_optimizer_plugins")

# Runs in the host's own process, by way of sitecustomize: what is loaded at the start, and at the
# end what every digitalmodel module holds.
WITNESS = """
import atexit, json, os, sys

at_start = sorted(sys.modules)

def look(value):
    if isinstance(value, type(os)):
        return ["module", value.__name__]
    entry = [type(value).__name__, getattr(value, "__module__", None)]
    entry.append(str(getattr(value, "__qualname__", "")))
    entry.append("__wrapped__" in dir(value) and type(value).__name__ != "type")
    code = getattr(value, "__code__", None)
    return [*entry, None if code is None else [code.co_filename, code.co_firstlineno]]

def dump():
    import pandas
    host = {}
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] in ("digitalmodel", "assetutilities") and module is not None:
            for attribute, value in sorted(vars(module).items()):
                host[f"{name}.{attribute}"] = look(value)
                if isinstance(value, type):
                    for member, inner in sorted(vars(value).items()):
                        host[f"{name}.{attribute}.{member}"] = look(inner)
    host["pandas.DataFrame.to_csv"] = look(pandas.DataFrame.to_csv)
    finders = [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path]
    answer = dict(at_start=at_start, at_end=sorted(sys.modules), host=host, finders=finders)
    with open(os.environ["WITNESS"], "w") as stream:
        json.dump(answer, stream)

if "WITNESS" in os.environ:
    atexit.register(dump)
"""

Look = Callable[..., dict[str, Any]]
SUMMARY = [("main", [column("x", "FST1", "X")])]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Runs ``python -m digitalmodel`` and tells what the process held at its start and its end."""
    folder = tmp_path_factory.mktemp("witness")
    (folder / "sitecustomize.py").write_text(WITNESS)
    known: dict[str, dict[str, Any]] = {}

    def run(
        parallel: dict[str, Any] | None,
        *more: str,
        base: dict[str, Any] | None = None,
        **variables: str,
    ) -> dict[str, Any]:
        key = json.dumps([parallel, more, base, variables])
        if key not in known:
            root = folder / f"run-{len(known)}"
            write(root / "sim", "case")
            cfg = command.user_configuration(root, SUMMARY)
            if parallel is None:
                del cfg["orcaflex"]["parallel"]
            else:
                cfg["orcaflex"]["parallel"] = parallel
            config = command.prepare(root, cfg)
            if base is not None:
                _enable_in_base(root, base)
            names = {"WITNESS": str(root / "witness.json"), "PYTHONPATH": str(folder)}
            done = command.run(config, *more, variables={**names, **variables})
            assert done.returncode == 0, done.stderr[-3000:]
            known[key] = json.loads((root / "witness.json").read_text())
            known[key]["output"] = done.stdout + done.stderr
            known[key]["results"] = sorted(path.name for path in (root / "results").glob("*"))
        return known[key]

    return run


def _enable_in_base(root: Path, parallel: dict[str, Any]) -> None:
    (path,) = (root / "src").rglob("*.yml")
    base = yaml.safe_load(path.read_text())
    base["orcaflex"]["parallel"] = parallel
    path.write_text(yaml.safe_dump(base))


# A batch that would start workers while the host is being imported, if it were on.
ON: dict[str, Any] = {"enabled": True, **backend("loky")}
ON["plugins"]["hybrid-executor"]["early_workers"] = 2
OFF_BY_ARGUMENT = "{'orcaflex': {'parallel': {'enabled': False}}}"
OFF_BY_PAIR = ("--orcaflex", "parallel.enabled=False")


@pytest.mark.parametrize(
    ("parallel", "more", "variables"),
    [
        (None, (), {}),
        ({"enabled": False, "threads": 15}, (), {}),
        ({"threads": 15}, (), {}),
        ({"enabled": True}, (), {"DIGITALMODEL_OPTIMIZER": "0"}),
        (ON, (OFF_BY_ARGUMENT,), {}),
        (ON, OFF_BY_PAIR, {}),
        ({"enabled": False}, (), {"base": ON}),
    ],
    ids=[
        "no block",
        "enabled: False",
        "no enabled key",
        "switched off by the environment",
        "switched off by a dict literal",
        "switched off by a pair",
        "switched off over the base",
    ],
)
def test_no_attribute_of_the_host_differs(
    look: Look, parallel: dict[str, Any] | None, more: tuple[str, ...], variables: dict[str, Any]
) -> None:
    without_us = look(None, DIGITALMODEL_OPTIMIZER="off")
    found = look(parallel, *more, **variables)
    changed = {
        name: (value, found["host"].get(name))
        for name, value in without_us["host"].items()
        if found["host"].get(name) != value
    }
    assert not changed
    assert found["host"].keys() == without_us["host"].keys()
    assert found["results"] == without_us["results"]
    assert "digitalmodel-optimizer" not in found["output"]


def test_an_enabled_run_differs_so_the_comparison_sees_something(look: Look) -> None:
    without_us = look(None, DIGITALMODEL_OPTIMIZER="off")
    found = look({"enabled": True, "use_processes": False})
    name = "digitalmodel.modules.orcaflex.opp.OrcaFlexPostProcess.post_process"
    assert found["host"][name] != without_us["host"][name]


def test_after_an_enabled_run_only_the_entrances_differ(look: Look) -> None:
    """The seams inside the engine are taken away when the batch is over."""
    without_us = look(None, DIGITALMODEL_OPTIMIZER="off")
    found = look({"enabled": True, "use_processes": False})
    changed = {
        name
        for name, value in without_us["host"].items()
        # A name that was never used has not been imported.
        if found["host"].get(name, value) != value and not name.endswith("__warningregistry__")
    }
    lean = {"__builtins__", "__loader__"}
    assert {name.rpartition(".")[2] for name in changed} <= {"engine", "post_process", *lean}


@pytest.mark.parametrize(
    ("parallel", "more", "base"),
    [
        ({"enabled": False}, (), None),
        (ON, (OFF_BY_ARGUMENT,), None),
        (ON, OFF_BY_PAIR, None),
        ({"enabled": False}, (), ON),
    ],
    ids=["in the file", "by a dict literal", "by a pair", "over the base"],
)
def test_nothing_heavy_is_loaded_for_a_run_that_is_not_enabled(
    look: Look,
    parallel: dict[str, Any],
    more: tuple[str, ...],
    base: dict[str, Any] | None,
) -> None:
    without_us = look(None, DIGITALMODEL_OPTIMIZER="off")
    found = look(parallel, *more, base=base)
    loaded = {name.split(".")[0] for name in set(found["at_end"]) - set(without_us["at_end"])}
    assert not loaded & {"numpy", "joblib", "loky", "psutil", "digitalmodel_optimizer_plugins"}
    assert found["finders"] == without_us["finders"]


def test_interpreter_start_loads_nothing_of_ours_nor_for_us(look: Look) -> None:
    found = look({"enabled": True, "use_processes": False})
    loaded = {name.split(".")[0] for name in found["at_start"]}
    bare = subprocess.run(
        [sys.executable, "-S", "-c", "import sys; print(*sys.modules)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not (loaded - {name.split(".")[0] for name in bare}) & set(HEAVY)
    assert not loaded & set(OURS)


def test_interpreter_start_costs_less_than_a_millisecond() -> None:
    """The lines of the .pth file themselves, timed in a bare interpreter."""
    lines = Path(__file__).parents[2].joinpath("src/activation/digitalmodel_optimizer.pth")
    code = [line for line in lines.read_text().splitlines() if line.startswith("import ")]
    timing = (
        "import sys, time, os\nstart = time.perf_counter()\n"
        f"for line in {code!r}: exec(line)\n"
        "print(time.perf_counter() - start)"
    )
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-S", "-E", "-c", timing],
                env={key: value for key, value in environment().items() if key not in STAND_IN},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for _ in range(5)
    ]
    assert min(seconds) < 0.001


PTH = Path(__file__).parents[2] / "src/activation/digitalmodel_optimizer.pth"


def import_a_host(folder: Path, *options: str, **modules: str) -> subprocess.CompletedProcess[str]:
    """Import a host of one line, and ``modules``, in an interpreter that has read the .pth file."""
    for name, source in {"digitalmodel": "print('the host')", **modules}.items():
        (folder / f"{name}.py").write_text(source)
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n{PTH.read_text()}\nimport digitalmodel"
    )
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_host_can_be_imported_when_the_project_is_gone_but_for_its_pth_file(
    tmp_path: Path,
) -> None:
    """As when the folder of an editable installation has been moved."""
    done = import_a_host(tmp_path, "-S", "-E")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the host\n", "")


def test_a_host_can_be_imported_when_the_project_cannot(tmp_path: Path) -> None:
    done = import_a_host(tmp_path, wrapt="raise RuntimeError('out of order')")
    assert (done.returncode, done.stdout) == (0, "the host\n")
    assert done.stderr == (
        "digitalmodel-optimizer: plugins are off for this run: they cannot be used "
        "(RuntimeError: out of order)\n"
    )
