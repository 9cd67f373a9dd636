"""Whatever a batch is made of: the files that succeed have the bytes of the engine's own loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from batches import backend, configuration, every_summary, every_time_series, write, write_bad
from host_process import (
    HostProcess,
    Outcome,
    first_difference,
    hashes,
    temporary_folder,
    without_inputs,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

BAD_KINDS = ("missing", "empty", "text", "truncated", "corrupt")
EXAMPLES = int(os.environ.get("OPTIMIZER_TEST_EXAMPLES", "20"))
REPRODUCIBLE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Good files of all sorts, and one bad file of each kind, by name."""
    folder = tmp_path_factory.mktemp("pool")
    sea = {"wave_hs_m": 3.25, "active_current": "Current 1yr"}
    other_folder = folder / "other"
    good = [
        write(folder, "plain", seed=1),
        write(folder, "sea", seed=2, sea=sea),
        write(folder, "large", seed=3, size_mb=1.5),
        write(folder, "short", seed=4, stop_time_s=12.0),
        write(folder, "long", seed=5, stop_time_s=30.0, size_mb=0.3),
        write(folder, "unfinished", seed=6, current_time_s=11.0),
        write(folder, "coarse", seed=7, sample_interval_s=1.0),
        write(other_folder, "plain", seed=8),  # the name of another file, in another folder
    ]
    bad = [write_bad(folder, f"bad_{kind}", kind) for kind in BAD_KINDS]
    # Its vessels are missing, on which the engine's loop itself fails.
    incomplete = write(folder, "bad_incomplete", seed=9, without=("FST1",))
    return {f"{path.parent.name}/{path.stem}": path for path in (*good, *bad, incomplete)}


def is_bad(path: Path) -> bool:
    return path.stem.startswith("bad_")


def check(
    plain_host: HostProcess,
    plugin_host: HostProcess,
    files: list[Path],
    root: Path,
    parallel: dict[str, Any],
    parts: tuple[bool, bool],
) -> Outcome:
    summary = every_summary() if parts[0] else ()
    series = every_time_series() if parts[1] else ()
    series = [group for group in series if group[0] != "forces"]  # some runs end before 8 s
    before = hashes(files)
    good = [path for path in files if not is_bad(path)]
    expected = plain_host.run(configuration(root, good, summary, series, parallel=parallel))
    assert expected.error is None, expected.output[-3000:]
    found = plugin_host.run(configuration(root, files, summary, series, parallel=parallel))
    failed = [path for path in files if is_bad(path)]
    if failed:
        assert found.error is not None, found.output[-3000:]
        assert found.error.startswith("FilesFailedError"), found.output[-3000:]
        assert f"{len(failed)} of {len(files)} files failed" in found.error
        assert all(str(path) in found.error for path in failed)
    else:
        assert found.error is None, found.output[-3000:]
    difference = first_difference(without_inputs(expected.files), without_inputs(found.files))
    assert difference is None, difference
    assert found.statistics["alive"] == 0
    assert found.statistics["affinity_breaches"] == 0
    assert hashes(files) == before
    logs = {path.name for path in (root / "results").glob("*_error.log")}
    assert logs == {f"{path.stem}_error.log" for path in failed}
    assert not list(root.parent.rglob("*/.dmo-*")), "a staging folder was left"
    return found


def batches_of(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=0, max_size=7, unique=True)


def test_any_batch_in_one_process(
    plain_host: HostProcess, plugin_host: HostProcess, pool: dict[str, Path], tmp_path: Path
) -> None:
    plugins = ("thread-allocation", "gc", "io-buffering", "batch-grouping", "result-extraction")

    @REPRODUCIBLE
    @given(
        names=batches_of(sorted(pool)),
        name=st.sampled_from(["serial", "threading"]),
        workers=st.integers(1, 4),
        off=st.sets(st.sampled_from(plugins), max_size=2),
        parts=st.sampled_from([(True, True), (True, False), (False, True)]),
    )
    def run(
        names: list[str], name: str, workers: int, off: set[str], parts: tuple[bool, bool]
    ) -> None:
        root = temporary_folder(tmp_path, "example-")
        parallel = backend(name, workers)
        for plugin in off:
            parallel["plugins"][plugin] = False
        check(plain_host, plugin_host, [pool[key] for key in names], root, parallel, parts)

    run()


@pytest.mark.parametrize("name", ["loky", "hybrid"])
def test_any_batch_in_worker_processes(
    plain_host: HostProcess,
    plugin_host: HostProcess,
    pool: dict[str, Path],
    tmp_path: Path,
    name: str,
) -> None:
    @settings(REPRODUCIBLE, max_examples=max(2, EXAMPLES // 10))
    @given(names=st.permutations(sorted(pool)), count=st.integers(4, 9))
    def run(names: list[str], count: int) -> None:
        root = temporary_folder(tmp_path, "example-")
        files = [pool[key] for key in names[:count]]
        check(plain_host, plugin_host, files, root, backend(name), (True, True))

    run()
