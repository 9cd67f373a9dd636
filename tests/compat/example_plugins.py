"""The examples of plugins, installed as a stranger's would be, and the host with one of them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from host_process import STAND_IN, environment

from digitalmodel_optimizer.demo.study import DM_FSTS, write_configuration, write_files

EXAMPLES = Path(__file__).parents[2] / "examples"
TINY = replace(DM_FSTS, files=3, file_mb=0.5, duration_s=20.0)


def install(example: str, folder: Path) -> Path:
    """A folder of packages that holds the example's distribution, entry points included."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=EXAMPLES / example, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@dataclass(frozen=True)
class Done:
    """A run of the host that has ended."""

    pid: int
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, installed: Path, parallel: Mapping[str, Any], **variables: str) -> Done:
    """``python -m digitalmodel`` on a tiny batch in ``folder``, with the example installed.

    :param parallel: laid over the batch's ``orcaflex.parallel``, which is enabled.
    """
    if not (folder / "sim").is_dir():
        list(write_files(TINY, folder / "sim"))
    config = write_configuration(folder, TINY, enabled=True)
    literal = repr({"orcaflex": {"parallel": parallel}})
    with subprocess.Popen(
        [sys.executable, "-m", "digitalmodel", config.name, literal],
        cwd=folder,
        env=environment(**STAND_IN, PYTHONPATH=os.fspath(installed), **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            said, complaints = child.communicate(timeout=240)
        finally:
            child.kill()
    return Done(child.pid, child.returncode, said, complaints)
