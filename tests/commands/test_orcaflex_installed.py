"""What doctor advises where OrcFxAPI cannot be imported, by what Windows' registry says."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from digitalmodel_optimizer.commands import orcaflex_installed
from digitalmodel_optimizer.commands.orcaflex_installed import REGISTRY_KEY, windows_advice


class Registry:
    """As much of ``winreg`` as is asked; ``folder`` None: there is no such entry."""

    HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_32KEY = 1, 2, 4

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def OpenKey(self, root: int, name: str, _reserved: int, access: int) -> Iterator[str]:  # noqa: N802
        assert (root, name, access) == (1, REGISTRY_KEY, 6)
        if self.folder is None:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        yield name

    def QueryValueEx(self, _key: str, name: str) -> tuple[str, int]:  # noqa: N802
        assert name == "Normal"
        return str(self.folder), 1


def test_without_an_entry_it_is_not_installed() -> None:
    said = windows_advice(Registry(None), is_64_bit=True)
    assert said.startswith("OrcaFlex is not installed: there is no entry HKEY_LOCAL_MACHINE")


def test_an_entry_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    said = windows_advice(Registry(tmp_path), is_64_bit=True)
    assert str(tmp_path) in said
    assert "Win64" in said
    assert "repair the installation" in said


def test_a_library_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    library = tmp_path / "OrcFxAPI" / "Win32" / "OrcFxAPI.dll"
    library.parent.mkdir(parents=True)
    library.touch()
    said = windows_advice(Registry(tmp_path), is_64_bit=False)
    assert said.startswith(f"{library} is there and cannot be loaded")


@pytest.mark.skipif(sys.platform == "win32", reason="says what holds elsewhere")
def test_elsewhere_it_is_the_stand_in() -> None:
    assert orcaflex_installed.advice() == orcaflex_installed.ELSEWHERE
