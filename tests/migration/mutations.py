"""Mutated files: no crash, no byte lost, no partial file. Run by name for many of them.

``python tests/migration/mutations.py 100000``
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml
from changes import OURS, choice, differences

from digitalmodel_optimizer_migration import (
    TEMPLATES,
    Choice,
    FilePlan,
    plan_bytes,
    plan_file,
    splice,
    template,
    write_plan,
)

_PIECES = [
    b"30", b"threads: 30", b"\n", b"\r\n", b"\r", b"\t", b" ", b"#", b":", b"'", b'"', b"{", b"}",
    b"[", b"]", b"&n ", b"*n", b"<<: *n", b"!!int ", b"!x ", b"|", b">", b"- ", b"? ", b"---\n",
    b"...\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xc2\x85", b"\xe2\x80\xa8", b"{{ x }}",
    b"\xf0\x9f\x9a\xa2", b"\xff", b"%YAML 1.1\n---\n", b"parallel:\n", b"orcaflex:\n", b"  ", b",",
]  # fmt: skip


def corpus() -> list[tuple[str, bytes]]:
    """What is mutated: files of every style, as kind and bytes."""
    old = [template(name).replace(b"threads: 15", b"threads: 30") for name in TEMPLATES]
    texts = [
        OURS + "orcaflex:\n  parallel:\n    enabled: True\n    threads: 30  # c\n",
        OURS + "orcaflex: {parallel: {threads: 30, x: [1, 'a']}}\nparallel: {num_threads: '30'}\n",
        OURS + "d: &d {threads: 30}\norcaflex:\n  parallel:\n    <<: *d\n    enabled: True\n",
        OURS + "parallel_processing:\n  max_workers: 30\n  max_workers: 30\n  workers: 0x1e\n",
        OURS + "a: 1\n---\nlibrary: digitalmodel\norcaflex: {parallel: {threads: &n 30}}\n",
        '{"library": "digitalmodel", "orcaflex": {"parallel": {"threads": 30}}}',
    ]
    files = [("yaml", raw) for raw in (*old, *(text.encode() for text in texts))]
    files += [("yaml", raw.replace(b"\n", b"\r\n")) for _, raw in files[2:]]
    files += [("yaml", b"\xff\xfe" + texts[0].encode("utf-16-le"))]
    files += [
        ("python", b"import OrcFxAPI\ndef f(a, threads=30):\n    g(max_workers=30)  # noqa: X\n"),
        ("script", b"python -m digitalmodel dm_fsts.yml --workers 30\r\n"),
    ]
    return files


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """``raw`` with one to four faults: bytes flipped, cut out, doubled, put in, the end lost."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(raw) + 1)
        to = min(len(raw), at + chance.choice((1, 1, 2, 5, 20, 200)))
        way = chance.randrange(6)
        if way == 0:
            raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        elif way == 1:
            raw = raw[:at] + raw[to:]
        elif way == 2:
            raw = raw[:to] + raw[at:to] + raw[to:]
        elif way == 3:
            raw = raw[:at]
        else:
            raw = raw[:at] + chance.choice(_PIECES) + raw[at:]
    return raw


def hold(kind: str, raw: bytes, wanted: Choice, folder: Path) -> str:
    """Hold all that must be true of one mutated file, and say what became of it."""
    findings, edits = plan_bytes(raw, kind, wanted)
    if not edits:
        return "refused" if any(item.level == "refused" for item in findings) else "left alone"
    after = splice(raw, edits)
    kept, rest = b"", 0
    for edit in edits:
        assert raw[edit.start : edit.end] == edit.old
        kept += raw[rest : edit.start] + edit.new
        rest = edit.end
    assert after == kept + raw[rest:]
    assert plan_bytes(after, kind, wanted)[1] == []
    if kind == "yaml":
        _hold_meaning(raw, after, len(edits))
    _hold_writing(raw, after, wanted, folder, kind)
    return "changed"


def _hold_meaning(raw: bytes, after: bytes, edits: int) -> None:
    try:
        before = list(yaml.safe_load_all(raw))
    except (yaml.YAMLError, ValueError, LookupError, RecursionError, OverflowError):
        return  # the host could not read it before either: !!int "" is an IndexError there
    changed = differences(before, list(yaml.safe_load_all(after)))
    # Hidden duplicates do not show; an aliased value shows at each of its places.
    assert changed or edits
    for old, new in changed.values():
        assert old in (30, "30")
        assert new in (15, "15", "auto"), changed


def _hold_writing(raw: bytes, after: bytes, wanted: Choice, folder: Path, kind: str) -> None:
    path = folder / {"yaml": "a.yml", "python": "a.py", "script": "a.sh"}[kind]
    path.write_bytes(raw)
    plan = plan_file(str(path), wanted)
    if plan.skipped:  # a NUL near the start
        assert path.read_bytes() == raw
        return
    assert isinstance(plan, FilePlan)
    write_plan(plan)
    assert path.read_bytes() == after
    assert [item.name for item in folder.iterdir()] == [path.name]
    path.unlink()


def run(count: int, seed: int = 0) -> Counter[str]:
    """Mutate ``count`` files; AssertionError, with the bytes, at the first that goes wrong."""
    chance = random.Random(seed)
    files, wanted = corpus(), choice()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            kind, raw = chance.choice(files)
            changed = mutated(raw, chance)
            try:
                outcomes[hold(kind, changed, wanted, Path(folder))] += 1
            except Exception as error:
                raise AssertionError(f"{kind} {changed!r}") from error
    return outcomes


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    started = time.perf_counter()
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    found = run(number, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    shown = ", ".join(f"{value} {key}" for key, value in sorted(found.items()))
    print(f"{number} mutated files in {time.perf_counter() - started:.0f} s: {shown}")
