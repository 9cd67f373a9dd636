"""The command as users call it, trees of files, repositories."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from changes import Migrate, Printed


@pytest.fixture
def migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrate:
    """``digitalmodel-optimizer migrate`` with words in a folder, 80 columns wide; in this process,
    because an interpreter's start takes longer than what it is to do."""
    import typer

    from digitalmodel_optimizer.commands.app import app

    monkeypatch.setenv("COLUMNS", "80")
    command = typer.main.get_command(app)

    def run(*words: str, folder: Path = tmp_path) -> Printed:
        monkeypatch.chdir(folder)
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with redirect_stdout(out), redirect_stderr(err):
            status = command.main(["migrate", *words], "dmo", standalone_mode=False)
        printed = []
        for stream in (out, err):
            stream.flush()
            printed.append(stream.buffer.getvalue())  # type: ignore[attr-defined]
        return Printed(int(status or 0), *printed)

    return run


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run git with words in a folder, its output as text; an own identity, no user's settings."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = A User\nemail = user@example.org\n[init]\ndefaultBranch = main\n"
        "[core]\nautocrlf = false\n"
    )

    def run(folder: Path, *words: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, input=given, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


@pytest.fixture
def repository(git: Callable[..., str]) -> Callable[..., Path]:
    """Make a repository with one commit that holds ``files``, by name."""

    def make(folder: Path, files: dict[str, str]) -> Path:
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text.encode())
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", "first")
        return folder

    return make
