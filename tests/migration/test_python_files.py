"""Python files: keyword arguments, parameter defaults and assignments, every other byte kept."""

from __future__ import annotations

import codecs

import pytest
from changes import changes, check_noop, check_transformed, choice, notes

from digitalmodel_optimizer_migration import plan_bytes

HOST = "from digitalmodel.modules.orcaflex import opp\n"


@pytest.mark.parametrize(
    "line",
    [
        "run(files, num_threads=30)",
        "run(files, threads = 30 , x=1)",
        "ThreadPoolExecutor(max_workers=(30))",
        "def run(files, num_threads=30): pass",
        "def run(files, *, threads: int = 30, **more): pass",
        "async def run(max_workers: 'int | None'=30) -> None: pass",
        "run = lambda threads=30: threads",
        "num_threads = 30",
        "max_workers: int = 30  # by habit",
        "threads = num_threads = 30",
        "class A:\n    threads = 30\n    def f(self):\n        self.num_threads = 30",
        "run(threads=0x1e)",
        "run(threads=3_0)",
        "if (threads := 30) and run(max_workers=30): pass",
        "run(threads=  # why\n    30)",
        "threads = \\\n    30",
        "threads: Annotated[int, Field(ge=1)] = 30",
        "pattern = '\\d'; run(threads=30)  # a warning of the parser's",
        "parser.add_argument('-t', '--threads', type=int, default=30)",
        "parser.add_argument('--max-workers', default=30, help='by habit')",
        "@click.option('--num-threads', 'n', default=30, show_default=True)\ndef run(n): pass",
        "def run(n: int = typer.Option(30, '--max-workers')): pass",
        "threads = settings.get('threads', 30)",
        "n = int(settings['orcaflex'].get('max_workers', 30))",
        "n = settings.setdefault('num_threads', 30) or getattr(args, 'threads', 30)",
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_way_to_give_a_number(line: str, line_end: str) -> None:
    before = (HOST + line + "\n# ende ä\u2028ö\n").replace("\n", line_end)
    after = before.replace("30", "15").replace("0x1e", "15").replace("3_0", "15")
    check_transformed(before, after, kind="python")


@pytest.mark.parametrize(
    "line",
    [
        "run(30)",
        "run(workers=30)",
        "parser.add_argument('--port', default=30); parser.add_argument('threads', default=30)",
        "settings.get('timeout', 30); settings.get('threads'); settings.append('threads', 30)",
        "parser.add_argument('--threads', default='30', metavar=30)",
        "run(threads='30', num_threads=30.0)",
        "threads == 30",
        "threads += 30",
        "server.threads = 30",
        "config = {'threads': 30}",
        "run(threads=-30)",
        "run(threads=cpus or 30)",
        "run(threads=15)",
        "text = 'run(threads=30)'  # threads=30",
        "run(threads=30)  # noqa",
        "run(threads=30)  # noqa: E501, python-threads",
        "run(threads=30)  # noqa : E501 python-threads",
        "run(threads=30)  # digitalmodel-optimizer: ignore[python-threads] measured",
        "# digitalmodel-optimizer: ignore\nrun(threads=30)",
    ],
)
def test_what_is_not_that_is_left_alone(line: str) -> None:
    assert check_noop(HOST + line + "\n", kind="python") == []


@pytest.mark.parametrize("lines", ["run(threads=30)  # noqa: E501", "# noqa\nrun(threads=30)"])
def test_another_linters_noqa_or_one_of_another_line_is_not_ours(lines: str) -> None:
    for before in (f"{HOST}{lines}\n", f"# noqa\n{HOST}{lines}\n"):
        check_transformed(before, before.replace("30", "15"), kind="python")


def test_a_misspelled_rule_in_an_ignore_comment_is_refused() -> None:
    raw = (HOST + "run(threads=30)  # digitalmodel-optimizer: ignore[python-thread]\n").encode()
    findings, edits = plan_bytes(raw, "python", choice())
    assert edits == []
    assert "did you mean python-threads?" in findings[-1].message


@pytest.mark.parametrize(
    ("imports", "ours"),
    [
        ("import OrcFxAPI", True),
        ("import os, digitalmodel.engine as e", True),
        ("def f():\n    from OrcFxAPI import Model", True),
        ("try: import OrcFxAPI\nexcept ImportError: pass", True),
        ("import os, \\\n    OrcFxAPI", True),
        ("from digitalmodel_optimizer import contract", False),
        ("import os", False),
        ("import digitalmodels", False),
        ("from .digitalmodel import x", False),
        ("'''\nimport digitalmodel\n'''", False),
        ("# import digitalmodel", False),
    ],
)
def test_only_files_that_import_the_host_or_orcfxapi(imports: str, ours: bool) -> None:
    findings, edits = plan_bytes(f"{imports}\nrun(threads=30)\n".encode(), "python", choice())
    assert (len(edits), len(findings)) == ((1, 1) if ours else (0, 0))


def test_another_number_is_somebodys_decision() -> None:
    assert notes(check_noop(HOST + "run(threads=8)\n", kind="python")) == ["python-threads"]


def test_a_mark_and_a_declared_encoding() -> None:
    text = HOST + "name = 'ä'; run(threads=30)\n"
    raw = codecs.BOM_UTF8 + text.encode()
    check_transformed(raw, raw.replace(b"30", b"15"), kind="python")
    raw = ("# -*- coding: latin-1 -*-\n" + text).encode("latin-1")
    check_transformed(raw, raw.replace(b"30", b"15"), kind="python")


def test_a_file_that_is_no_python_is_refused_with_its_line() -> None:
    (findings, _) = plan_bytes(b"# coding: x\nimport OrcFxAPI\nthreads=30\n", "python", choice())
    assert (findings[0].level, findings[0].line, findings[0].column) == ("refused", 1, 1)
    for text in ("print 'x'\n", "def f(:\n", f"x = {'[' * 5000}{']' * 5000}\n"):
        findings, edits = plan_bytes(f"{HOST}run(threads=30)\n{text}".encode(), "python", choice())
        assert edits == []
        assert findings[0].level == "refused"
        assert findings[0].line == 3


def test_positions_are_the_numbers() -> None:
    findings, _ = plan_bytes((HOST + "run(é=1, threads=30)\n").encode(), "python", choice())
    assert changes(findings) == ["python-threads"]
    assert (findings[0].line, findings[0].column) == (2, 18)


def test_a_panic_of_the_parser_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    import libcst

    class PanicException(BaseException):
        """As LibCST's Rust part raises it."""

    def panic(_text: str) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(libcst, "parse_module", panic)
    findings, edits = plan_bytes((HOST + "run(threads=30)\n").encode(), "python", choice())
    assert edits == []
    assert [finding.level for finding in findings] == ["refused"]
    assert "index out of bounds" in findings[0].message


def test_ctrl_c_in_the_parser_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    import libcst

    def interrupted(_text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(libcst, "parse_module", interrupted)
    with pytest.raises(KeyboardInterrupt):
        plan_bytes((HOST + "run(threads=30)\n").encode(), "python", choice())
