"""Plant old settings into real configuration files and see that nothing else changes.

``python benchmarks/migration/real_files.py``

The files are those that older releases of digitalmodel carry; pip (or uv) fetches them into a
temporary folder, which is removed again. Into each file that PyYAML reads, old settings are planted
in one style after the other: block and flow, quoted, with comments, merged, in the file's own line
ends. Then the command's own code runs over the whole tree with ``--write``. Each planted
file must differ from its original in exactly the planted scalars' bytes; every other file, and a
second copy of the tree without anything planted, must be untouched.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from digitalmodel_optimizer_migration import Choice, Request, Tally, chosen, migrate

RELEASES = ("0.0.4", "0.0.5", "0.0.6", "0.0.7", "0.0.8")
# A marked place is what must change: the old text, then the new one.
PLACE = re.compile(r"«(.*?)»(.*?)«/»")
STYLES = {
    "block": "orcaflex:\n  parallel:\n    enabled: True\n    threads: «30»15«/»   # workers\n",
    "block, wide": "orcaflex:\n     parallel:\n          threads:    «30»15«/»\t\n",
    "flow": "orcaflex: {parallel: {enabled: True, threads: «30»15«/», use_processes: True}}\n",
    "flow over lines": "orcaflex: {\n  parallel: {threads: «30»15«/»,\n  enabled: True}}\n",
    "quoted keys": '"orcaflex":\n  \'parallel\':\n    "threads" : «30»15«/»\n',
    "hexadecimal": "orcaflex:\n  parallel: {threads: «0x1E»15«/»}\n",
    "comment between": "orcaflex:\n  parallel:\n    threads:  # so many:\n      «30»15«/»\n",
    "tagged, anchored": "orcaflex:\n  parallel:\n    threads: &planted !!int «30»15«/»\n",
    "twice": "orcaflex: {parallel: {threads: «30»15«/», threads: «30»15«/»}}\n",
    "merged": (
        "planted_: &planted_ {threads: «30»15«/»}\n"
        "orcaflex:\n  parallel:\n    <<: *planted_\n    enabled: True\n"
    ),
    "max_workers": "parallel_processing:\n  enabled: true\n  max_workers: «30»auto«/»  # or 8\n",
    "max_workers, quoted": (
        "parallel_processing: {max_workers: '«30»auto«/»', workers: «30»auto«/»}\n"
    ),
    "num_threads, quoted": 'parallel:\n  num_threads: "«30»15«/»"\n  chunk_size: 30\n',
}
IDENTITY = "library: digitalmodel\n"
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LARGE_BYTES = 200_000  # larger files get the first style only


def fetch(folder: Path) -> Iterator[Path]:
    """Install each old release without its dependencies into a folder of its own."""
    for release in RELEASES:
        target = folder / release
        wanted = ["--no-deps", "--quiet", "--target", str(target), f"digitalmodel=={release}"]
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *wanted]
        uv = ["uv", "pip", "install", "--python", sys.executable, *wanted]
        if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
            subprocess.run(uv, check=True)
        yield target


def real_files(folders: Iterator[Path]) -> list[bytes]:
    """The distinct YAML files, by content."""
    found: dict[str, bytes] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".yml", ".yaml") and path.is_file():
                raw = path.read_bytes()
                found.setdefault(hashlib.sha256(raw).hexdigest(), raw)
    return list(found.values())


def readable(raw: bytes, load: Callable[[bytes], object]) -> bool:
    try:
        load(raw)
    except Exception:
        return False
    return True


def planted(raw: bytes, style: str) -> tuple[bytes, bytes] | None:
    """``raw`` with old settings put in at its end, and with the new ones; None if it cannot be.

    A file that does not say whose it is gets a line that does.
    """
    line_end = "\r\n" if b"\r\n" in raw else "\n"
    gap = "" if not raw or raw.endswith(b"\n") else line_end
    block = gap + IDENTITY + STYLES[style]
    block = block.replace("\n", line_end)
    old, new = (raw + PLACE.sub(group, block).encode() for group in (r"\1", r"\2"))
    try:
        before = yaml.load(old, Loader=FAST)
    except Exception:
        return None
    if not isinstance(before, dict) or before.get("library") != "digitalmodel":
        return None
    return old, new


def digests(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(tree: Path) -> Tally:
    tally = Tally()
    request = Request(Choice(chosen()), write=True, jobs=2)
    for _ in migrate([str(tree)], request, tally):
        pass
    return tally


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = real_files(fetch(folder / "releases"))
        by_pyyaml = sum(
            readable(raw, lambda raw: list(yaml.load_all(raw, Loader=FAST))) for raw in files
        )
        print(f"{len(files)} distinct files, {sum(map(len, files)) / 1e6:.1f} MB; "
              f"PyYAML reads {by_pyyaml} of them")  # fmt: skip

        untouched = folder / "untouched"
        untouched.mkdir()
        for number, raw in enumerate(files):
            (untouched / f"{number}.yml").write_bytes(raw)
        before = digests(untouched)
        tally = run(untouched)
        changed = [path for path, raw in digests(untouched).items() if before[path] != raw]
        skipped = sum(tally.counts.skipped.values())
        print(
            f"nothing planted: {tally.counts.files} files, {len(changed)} changed, "
            f"{tally.counts.refused} refused, {skipped} skipped"
        )
        faults = len(changed) + tally.counts.refused

        tree = folder / "planted"
        expected: dict[Path, bytes] = {}
        placed: Counter[str] = Counter()
        for number, raw in enumerate(files):
            for place, style in enumerate(STYLES):
                if place and len(raw) > LARGE_BYTES:
                    break
                path = tree / str(place) / f"{number}.yml"
                path.parent.mkdir(parents=True, exist_ok=True)
                pair = planted(raw, style)
                path.write_bytes(pair[0] if pair else raw)
                expected[path] = pair[1] if pair else raw
                placed[style] += pair is not None
        started = time.perf_counter()
        tally = run(tree)
        took = time.perf_counter() - started
        wrong = [path for path, raw in digests(tree).items() if expected.get(path) != raw]
        print(f"planted: {len(expected)} files, {sum(placed.values())} with old settings, "
              f"{tally.counts.changed} changed, {tally.counts.refused} refused, "
              f"{len(wrong)} not as expected; {took:.0f} s")  # fmt: skip
        for style, count in placed.items():
            print(f"  {style}: {count}")
        for path in wrong[:5]:
            shutil.copy(path, tempfile.gettempdir())
            print(f"  wrong: {path.relative_to(folder)}")
        again = run(tree)
        print(f"second run: {again.counts.changed} changed, {again.counts.refused} refused")
        faults += len(wrong) + again.counts.changed + again.counts.refused + tally.counts.refused
    print("all as it must be" if not faults else f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
