"""Shell, batch and Markdown: reported, never rewritten."""

from __future__ import annotations

import pytest
from changes import check_noop, notes


@pytest.mark.parametrize(
    "line",
    [
        "python -m digitalmodel dm_fsts.yml --workers 30",
        "python -m digitalmodel dm_fsts.yml --workers=30 --label x",
        "python -m digitalmodel dm_fsts.yml --threads\t30",
        'python -m digitalmodel dm_fsts.yml --workers "30"',
        "REM digitalmodel\r\ncall run.bat --max-workers 30",
        "Set `threads: 30` in digitalmodel's configuration.",
        "    max_workers: 30  # orcaflex",
    ],
)
def test_the_old_number_is_reported(line: str) -> None:
    findings = check_noop(line + "\n", kind="script")
    assert notes(findings) == ["scripts-workers"]
    assert "write " in findings[0].message
    assert ("leave the option out" in findings[0].message) is ("--" in line)


@pytest.mark.parametrize(
    "line",
    [
        "python -m digitalmodel dm_fsts.yml --workers 300",
        "python -m digitalmodel dm_fsts.yml --workers 15",
        "gunicorn --workers 30 app",  # a web server's
        "snakemake --threads 30",
        "python -m digitalmodel x.yml --no-workers 30",
        "python -m digitalmodel x.yml --workers 30  # digitalmodel-optimizer: ignore",
        "<!-- digitalmodel-optimizer: ignore[scripts-workers] -->\ndigitalmodel --workers 30",
        "rem digitalmodel-optimizer: ignore\r\ndigitalmodel --workers 30",
    ],
)
def test_other_numbers_and_other_tools_are_not(line: str) -> None:
    assert check_noop(line + "\n", kind="script") == []


def test_bytes_of_any_encoding_are_looked_at() -> None:
    raw = "echo Müller & digitalmodel --workers 30".encode("latin-1")
    (finding,) = check_noop(raw, kind="script")
    assert (finding.line, finding.column) == (1, 28)


@pytest.mark.parametrize(
    ("setting", "advice"), [("threads", "15"), ("num_threads", "15"), ("max_workers", "auto")]
)
def test_markdown_says_what_the_rule_for_yaml_writes(setting: str, advice: str) -> None:
    (finding,) = check_noop(f"orcaflex settings: `{setting}: 30`\n", kind="script")
    assert finding.message == f"{setting}: 30: write {advice}"
