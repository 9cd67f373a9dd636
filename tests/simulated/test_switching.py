"""Switching on and off, and what the import leaves behind."""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_in import run_child

import simulated_orcaflex

needs_other_system = pytest.mark.skipif(sys.platform == "win32", reason="Windows has windll")


def test_the_package_is_light() -> None:
    code = """
import sys
assert simulated_orcaflex.enabled()
print([name for name in ("numpy", "json", "ctypes", "importlib.machinery") if name in sys.modules])
"""
    assert "numpy" not in run_child(code).stdout
    ours = run_child("import sys; print([n for n in sys.modules if 'simulated' in n])").stdout
    assert ours.strip() == "['simulated_orcaflex', 'simulated_orcaflex.importing']"


@needs_other_system
def test_the_windows_parts_of_ctypes_are_gone_after_the_import(api: Any) -> None:
    assert api.Model
    assert not hasattr(ctypes, "windll")
    assert not hasattr(ctypes, "WINFUNCTYPE")


def test_nothing_is_switched_on_by_itself() -> None:
    code = "print(simulated_orcaflex.enabled(), [type(f).__name__ for f in sys.meta_path])"
    for value in ("", "0", "true"):
        done = run_child("import sys\n" + code, SIMULATED_ORCAFLEX=value)
        assert done.stdout.startswith("False")
        assert "StandInFinder" not in done.stdout


def test_enable_and_disable_in_one_process() -> None:
    code = """
import os, sys
simulated_orcaflex.enable()
simulated_orcaflex.enable()
import OrcFxAPI, OrcFxAPIConfig
assert simulated_orcaflex.enabled()
assert os.environ["SIMULATED_ORCAFLEX"] == "1"
assert "simulated" in OrcFxAPIConfig.getLibPath()
assert "simulated" in OrcFxAPI.DLLLocation()
assert OrcFxAPIConfig.getLibHandle() is None
OrcFxAPIConfig.setLibPath("x"); OrcFxAPIConfig.setLibHandle(1)
simulated_orcaflex.disable()
assert not simulated_orcaflex.enabled()
assert "SIMULATED_ORCAFLEX" not in os.environ
assert "OrcFxAPI" not in sys.modules and "OrcFxAPIConfig" not in sys.modules
try:
    import OrcFxAPI
except Exception as error:
    print(type(error).__name__)
"""
    done = run_child(code, SIMULATED_ORCAFLEX="")
    if sys.platform != "win32":
        assert done.stdout.strip() in ("ModuleNotFoundError", "ImportError")


def test_enabling_too_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = importlib.import_module("simulated_orcaflex.importing")
    monkeypatch.setattr(sys, "meta_path", list(importlib.import_module("sys").meta_path))
    importing.uninstall()
    monkeypatch.setitem(sys.modules, "OrcFxAPI", sys)
    monkeypatch.delitem(sys.modules, "OrcFxAPIConfig", raising=False)
    with pytest.raises(RuntimeError, match="before the stand-in"):
        importing.install()


def test_a_missing_wrapper_is_named() -> None:
    code = """
import sys
sys.meta_path[1:] = [f for f in sys.meta_path[1:] if "PathFinder" not in repr(f)]
try:
    import OrcFxAPI
except ImportError as error:
    print(error)
"""
    assert "pip install OrcFxAPI" in run_child(code).stdout


def test_children_inherit_it_through_the_startup_line(tmp_path: Path) -> None:
    (tmp_path / "stand_in.pth").write_text(simulated_orcaflex.STARTUP_LINE + "\n")
    child = f"import site; site.addsitedir({str(tmp_path)!r}); import OrcFxAPI; print('there')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    assert run_child(code).stdout.strip() == "there"


def test_the_wrapper_keeps_its_source(api: Any) -> None:
    assert api.__loader__.get_source("OrcFxAPI")
    assert api.__file__.endswith("OrcFxAPI.py")


def test_wrappers_of_any_age_load_a_file_and_read_a_result(write: Callable[..., Path]) -> None:
    code = """
import sys, OrcFxAPI
model = OrcFxAPI.Model(sys.argv[1])
line = model["Mooring 1"]
print(line.TimeHistory("Bend Moment", OrcFxAPI.pnWholeSimulation, OrcFxAPI.oeEndA).size)
"""
    assert run_child(code, write()).stdout.strip() == "401"


def test_an_import_hook_of_others_works_beside_it() -> None:
    wrapt = pytest.importorskip("wrapt")
    assert wrapt
    code = """
import wrapt
seen = []
wrapt.register_post_import_hook(lambda module: seen.append(module.__name__), "OrcFxAPI")
import OrcFxAPI
assert seen == ["OrcFxAPI"]
OrcFxAPI.Model()
"""
    run_child(code)
