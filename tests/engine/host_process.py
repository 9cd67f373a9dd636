"""Talking to a host in a process of its own, and comparing what two hosts write."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

RUNNER = Path(__file__).with_name("host_runner.py")
STAND_IN = {"SIMULATED_ORCAFLEX": "1"}
Files = dict[str, bytes]


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without anything of the project's, and with ``changes``.

    The first host to start leaves its bytecode for all others: compiling it takes seconds.
    """
    left_out = (
        "DIGITALMODEL_OPTIMIZER",
        "SIMULATED_ORCAFLEX",
        "PYTEST_",
        "COVERAGE",
        "PYTHONDONTWRITEBYTECODE",
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    off = dict.fromkeys(("DIGITALMODEL_OPTIMIZER_HISTORY", "DIGITALMODEL_OPTIMIZER_TUNING"), "off")
    return {**kept, **off, **changes}


@dataclass(frozen=True)
class Outcome:
    """What came of one job. ``error`` is the exception's type and text; ``files`` what stands in
    the results folder afterwards, by relative path."""

    error: str | None
    output: str
    warnings: tuple[str, ...]
    statistics: Mapping[str, Any]
    threads: tuple[str, ...]
    environment: tuple[str, ...]
    files: Files

    def calls(self, name: str) -> int:
        """How often a native function was called, in the host's own process."""
        return int(self.statistics["native_calls"].get(name, 0))


class HostProcess:
    """A host with plugins installed, or with them switched off; starts when first asked."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._folder = folder
        self._environment = environment(**STAND_IN, **variables)
        self._process: subprocess.Popen[str] | None = None
        self._answers: TextIO | None = None
        self._jobs = 0

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> int:
        """Let the process end, close both ends of the talk with it; its exit code."""
        code = 0
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            code = self._process.wait(timeout=30)
        if self._answers is not None:
            self._answers.close()
        self._process, self._answers = None, None
        return code

    @property
    def pid(self) -> int:
        """The process's identifier; 0 before it has started."""
        return self._process.pid if self._process is not None else 0

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            reading, writing = os.pipe()
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(RUNNER), str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd=self._folder,
                pass_fds=(writing,),
                text=True,
                encoding="utf-8",
            )
            os.close(writing)
            self._answers = os.fdopen(reading, encoding="utf-8")
        return self._process

    def run(
        self, cfg: Mapping[str, Any], *, file_size_limit: int | None = None, **variables: str
    ) -> Outcome:
        """Run the engine on ``cfg``; its results folder is emptied before and read afterwards."""
        results = Path(cfg["Analysis"]["result_folder"])
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir(parents=True)
        return self.run_again(cfg, file_size_limit=file_size_limit, **variables)

    def run_again(
        self, cfg: Mapping[str, Any], *, file_size_limit: int | None = None, **variables: str
    ) -> Outcome:
        """The same with the results folder as it is."""
        process = self._started()
        assert process.stdin is not None
        assert self._answers is not None
        self._jobs += 1
        output = self._folder / f"output-{self._jobs}.txt"
        job = {
            "cfg": cfg,
            "environment": variables,
            "output": str(output),
            "file_size_limit": file_size_limit,
        }
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        answer = self._answers.readline()
        said = output.read_text("utf-8", errors="replace") if output.exists() else ""
        if not answer:
            raise HostLost(f"the host ended with {self._end()}: {said[-2000:]}")
        values = json.loads(answer)
        output.unlink()
        return Outcome(
            error=values["error"],
            output=said,
            warnings=tuple(values["warnings"]),
            statistics=values["statistics"],
            threads=tuple(values["threads"]),
            environment=tuple(values["environment"]),
            files=read_tree(Path(cfg["Analysis"]["result_folder"])),
        )


class HostLost(AssertionError):
    """The whole host process has ended."""


def read_tree(folder: Path) -> Files:
    """Every file below ``folder`` by its relative path, logs of failed files left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("_error.log")
    }


def csv_files(files: Files) -> Files:
    return {name: content for name, content in files.items() if name.endswith(".csv")}


def hashes(paths: Iterable[Path]) -> dict[str, tuple[bytes, int] | None]:
    """Content and modification time of each path, to see that nothing was touched."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) if path.exists() else None
        for path in paths
    }


def first_difference(left: Files, right: Files) -> str | None:
    """What differs, in words; None if nothing does."""
    if left.keys() != right.keys():
        missing, more = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
        return f"missing {missing}, not expected {more}"
    for name in left:
        if left[name] != right[name]:
            pairs = zip(left[name].splitlines(), right[name].splitlines(), strict=False)
            lines = next((pair for pair in pairs if pair[0] != pair[1]), ("", "another length"))
            return f"{name}: {lines[0]!r} became {lines[1]!r}"
    return None


def without_inputs(files: Files) -> Files:
    """The final configuration without its list of inputs, for batches of which some failed."""
    import yaml

    loader = getattr(yaml, "CLoader", yaml.Loader)
    result = {}
    for name, content in files.items():
        result[name] = content
        if name.endswith(".yml"):
            document = yaml.load(content, Loader=loader)
            document["file_management"]["input_files"].pop("sim")
            result[name] = repr(document).encode()
    return result


def temporary_folder(parent: Path, prefix: str) -> Path:
    """A new folder, for tests that run many examples in one ``tmp_path``."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
