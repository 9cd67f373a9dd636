"""The host starts with what its command uses, and cannot be told from one that imported all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import command
import pytest
from batches import column, write
from host_process import STAND_IN, environment

from digitalmodel_optimizer.host.lean_imports import defer_imports

# What the packages take that a post-process run never needs.
UNUSED = ("scipy", "sympy", "matplotlib.pyplot", "plotly", "scrapy", "bs4", "requests")
IMPORT_ENGINE = """
import json, logging, os, sys

def lean():
    from digitalmodel_optimizer.host.layouts import RELEASED
    from digitalmodel_optimizer.host.lean_imports import defer_imports

    defer_imports(RELEASED.packages, RELEASED.loud)

def resolve_all():
    '''Look at every name of every module of the host, until there is nothing left to import.'''
    seen = -1
    while seen != len(sys.modules):
        seen = len(sys.modules)
        for name in list(sys.modules):
            if name.partition(".")[0] in ("digitalmodel", "assetutilities"):
                module = sys.modules[name]
                for attribute in dir(module):
                    getattr(module, attribute)

def state():
    import numpy, pandas, warnings

    options = pandas._config.config
    return {
        "pandas": {name: repr(options.get_option(name)) for name in options._registered_options},
        "numpy": [numpy.geterr(), repr(numpy.get_printoptions())],
        "folder": os.getcwd(),
        "path": sys.path,
        "environment": dict(os.environ),
        "logging": [logging.getLogger().level, len(logging.getLogger().handlers)],
        "streams": [type(sys.stdout).__module__, type(sys.stderr).__module__],
        "filters": [repr(item) for item in warnings.filters if item[2] is UserWarning],
    }

task = sys.argv[1]
if task != "eager":
    lean()
import digitalmodel.engine
modules = sorted(sys.modules)
if task == "resolved":
    resolve_all()
    modules = sorted(sys.modules)
with open(sys.argv[2], "w") as stream:
    json.dump({"modules": modules, "state": state()}, stream)
"""


class Imported:
    """What ``import digitalmodel.engine`` printed and left in its process."""

    def __init__(self, folder: Path, task: str) -> None:
        answer = folder / f"{task}.json"
        done = subprocess.run(
            [sys.executable, "-c", IMPORT_ENGINE, task, str(answer)],
            env=environment(**STAND_IN, DIGITALMODEL_OPTIMIZER="off"),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(answer.read_text())
        self.output = done.stdout
        self.errors = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "(time)", done.stderr)
        self.modules = set(found["modules"])
        self.state: dict[str, Any] = found["state"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lean")


@pytest.fixture(scope="module")
def eager(folder: Path) -> Imported:
    return Imported(folder, "eager")


@pytest.fixture(scope="module")
def lean(folder: Path) -> Imported:
    return Imported(folder, "lean")


def test_a_lean_import_prints_the_same_lines(eager: Imported, lean: Imported) -> None:
    assert "license" in eager.output, "nothing was printed, so nothing was compared"
    assert lean.output == eager.output
    assert lean.errors == eager.errors


def test_a_lean_import_leaves_the_process_as_an_eager_one(eager: Imported, lean: Imported) -> None:
    assert lean.state == eager.state


def test_a_lean_import_takes_a_fifth_of_the_modules(eager: Imported, lean: Imported) -> None:
    assert len(lean.modules) < len(eager.modules) / 5


@pytest.mark.slow
def test_every_name_of_every_module_can_be_used(folder: Path, eager: Imported) -> None:
    resolved = Imported(folder, "resolved")
    missing = eager.modules - resolved.modules
    assert not [name for name in missing if not name.startswith("digitalmodel_optimizer")]
    assert resolved.state == eager.state


def test_lean_imports_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.meta_path)
    monkeypatch.setenv("DIGITALMODEL_OPTIMIZER_LEAN", "off")
    defer_imports(["no_such_package"])
    assert sys.meta_path == before


def test_a_run_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys\n"
        "if 'digitalmodel' in sys.orig_argv:\n"
        "    name = os.path.join(os.path.dirname(__file__), 'modules.txt')\n"
        "    atexit.register(lambda: open(name, 'w').write('\\n'.join(sys.modules)))\n"
    )
    write(tmp_path / "sim", "case")
    summary = [("main", [column("x", "FST1", "X")])]
    config = command.prepare(tmp_path, command.user_configuration(tmp_path, summary))
    report = tmp_path / "report.json"
    names = {"PYTHONPATH": str(tmp_path), "DIGITALMODEL_OPTIMIZER_REPORT": str(report)}
    began_s = time.monotonic()
    done = command.run(config, variables=names)
    took_s = time.monotonic() - began_s
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(report.read_text())
    assert 0 < said["elapsed_s"] < said["command_s"] < took_s + 0.1
    modules = (tmp_path / "modules.txt").read_text().split()
    assert not [name for name in UNUSED if name in modules]
    assert len(modules) < 1500
