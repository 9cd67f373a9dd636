"""``python -m digitalmodel`` as a user types it, in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from batches import configuration
from host_process import STAND_IN, environment

BASENAME = "orcaflex_post_process"
TIMEOUT_S = 120


def prepare(root: Path, cfg: dict[str, Any], name: str = "dm_fsts.yml") -> Path:
    """A user's folder: base configuration, ``<name>`` with the columns of ``cfg``, no results."""
    import yaml

    from digitalmodel_optimizer.demo.study import base_configuration

    base = root / "src" / "digitalmodel" / "tests" / "test_data" / f"{BASENAME}.yml"
    base.parent.mkdir(parents=True, exist_ok=True)
    base.write_text(yaml.safe_dump(base_configuration()), encoding="utf-8")
    user = {key: value for key, value in cfg.items() if key not in ("Analysis", "basename")}
    user["file_management"] = {
        "flag": True,
        "input_directory": "sim",
        "output_directory": "results",
        "filename": {"extension": ["sim"], "pattern": None},
    }
    path = root / name
    path.write_text(yaml.safe_dump(user, sort_keys=False), encoding="utf-8")
    return path


def user_configuration(
    root: Path, summary: Sequence[Any] = (), series: Sequence[Any] = (), **changes: Any
) -> dict[str, Any]:
    """What the user's file says; the files are those that lie in ``sim``."""
    cfg = configuration(root, (), summary, series, **changes)
    cfg["orcaflex"]["parallel"]["progress"] = changes.get("progress", True)
    return cfg


def arguments(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "digitalmodel", config.name, *more]


def run(
    config: Path, *more: str, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end; output as text."""
    return subprocess.run(
        arguments(config, *more),
        cwd=config.parent,
        env=environment(**{**STAND_IN, **(variables or {})}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


class Running:
    """A command in a process group of its own, as a terminal's job is."""

    def __init__(self, config: Path, *more: str, variables: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            arguments(config, *more),
            cwd=config.parent,
            env=environment(**{**STAND_IN, **(variables or {})}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def descendants(self) -> list[Any]:
        """Its processes below it, resource trackers left out."""
        import psutil

        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []
        return [child for child in children if not _is_tracker(child)]

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> tuple[int, str]:
        """Exit status and output."""
        try:
            output, _ = self.process.communicate(timeout=TIMEOUT_S)
        finally:
            self.end()
        return self.process.returncode, output

    def end(self) -> None:
        """Leave nothing running, whatever the test found."""
        for child in [*self.descendants()]:
            child.kill()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _is_tracker(process: Any) -> bool:
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except Exception:  # it is gone
        return True


def wait_for(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """What ``condition`` returns once that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"it did not come true within {timeout_s:g} s")
