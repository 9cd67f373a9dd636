"""The real host in a process of its own, which runs one job after the other.

Importing the host takes seconds, so a test asks this process instead: a job is a line of JSON on
standard input, its outcome a line of JSON on the pipe that the first argument names. What the
engine prints while it works goes to the job's own file.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any


def _run(cfg: Any) -> str | None:
    from assetutilities.common.update_deep import AttributeDict
    from digitalmodel.engine import engine

    listed = cfg["file_management"]["input_files"]
    listed["sim"] = [Path(name) for name in listed["sim"]]  # as the host's own glob gives them
    try:
        engine(cfg=AttributeDict(cfg), config_flag=False)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return None


def _outcome(job: dict[str, Any]) -> dict[str, Any]:
    from simulated_orcaflex import statistics

    before = statistics()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error = _run(job["cfg"])
    gc.collect()
    after = statistics()
    calls = {
        name: count - before.native_calls.get(name, 0)
        for name, count in after.native_calls.items()
        if count != before.native_calls.get(name, 0)
    }
    return {
        "error": error,
        "warnings": [
            str(item.message) for item in caught if item.category.__name__ == "OptimizerWarning"
        ],
        "statistics": {
            **asdict(after),
            "created": after.created - before.created,
            "alive": after.alive - before.alive,
            "affinity_breaches": after.affinity_breaches - before.affinity_breaches,
            "native_calls": calls,
        },
        "threads": _thread_names(),
    }


@contextmanager
def _files_no_larger_than(size_bytes: int | None) -> Iterator[None]:
    """A stand-in for a full disk: no file of this process or its children may grow further."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if size_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _thread_names() -> list[str]:
    import threading

    return sorted(thread.name for thread in threading.enumerate())


def main() -> None:
    answers = os.fdopen(int(sys.argv.pop(1)), "w", encoding="utf-8")
    import digitalmodel.engine  # noqa: F401 - pay for it before the first job

    for line in sys.stdin:
        job = json.loads(line)
        environment = dict(os.environ)
        os.environ.update(job["environment"])
        with open(job["output"], "wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            with _files_no_larger_than(job["file_size_limit"]):
                outcome = _outcome(job)
            sys.stdout.flush()
            sys.stderr.flush()
        leaked = {k: v for k, v in os.environ.items() if environment.get(k) != v}
        outcome["environment"] = sorted(set(leaked) - set(job["environment"]))
        os.environ.clear()
        os.environ.update(environment)
        answers.write(json.dumps(outcome) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
