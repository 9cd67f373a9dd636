"""``digitalmodel-optimizer cache``: what is kept, and removing it; ``run --verify-inputs``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from test_run import make_batch

Dmo = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_kept_batch_is_looked_at_verified_and_cleared(dmo: Dmo, tmp_path: Path) -> None:
    make_batch(tmp_path, enabled=True)
    for path in tmp_path.rglob("*.sim"):
        os.utime(path, (0, 0))  # of a file that has just been written, the whole content is noted
    config = tmp_path / "dm_fsts.yml"
    text = config.read_text()
    config.write_text(
        text.replace("    enabled: true\n", "    enabled: true\n    cache: true\n", 1)
    )
    assert dmo("cache", "info", "dm_fsts.yml").stdout == "nothing is kept for dm_fsts.yml\n"
    report = {"DIGITALMODEL_OPTIMIZER_REPORT": str(tmp_path / "report.json")}
    for read, options in ((2, ()), (0, ()), (2, ("--verify-inputs",)), (0, ("--verify-inputs",))):
        done = dmo("run", *options, "dm_fsts.yml", **report)
        assert done.returncode == 0, done.stderr
        content = json.loads((tmp_path / "report.json").read_text())
        assert (content["files_read"], content["files_reused"]) == (read, 2 - read)
    said = dmo("cache", "info", "results").stdout
    assert ".dmo-cache: 2 results, " in said
    (store,) = json.loads(dmo("cache", "prune", "--json", "dm_fsts.yml").stdout)
    assert (store["results"], store["removed"]) == (2, 0)
    assert store["place"] == str(tmp_path / "results" / ".dmo-cache")
    assert "0 results, 0.0 MB of at most 1 GB; 2 results removed" in dmo(
        "cache", "clear", "dm_fsts.yml"
    ).stdout.replace("\n", " ")
    assert not Path(store["place"]).exists()
    assert len(list((tmp_path / "results").glob("*.csv"))) > 2


def test_a_configuration_that_cannot_be_read_is_one_line_and_status_2(
    dmo: Dmo, tmp_path: Path
) -> None:
    done = dmo("cache", "clear", "dm_fsts.yml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("digitalmodel-optimizer: dm_fsts.yml cannot be read")
