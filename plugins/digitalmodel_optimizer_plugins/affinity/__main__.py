"""``python -m digitalmodel_optimizer_plugins.affinity``: would it pay to bind workers to nodes?

Prints what local memory would save at best, for machines of 1, 2, 4 and 8 nodes and for this one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from digitalmodel_optimizer.plugin.topology import detect_topology
from digitalmodel_optimizer.plugin.topology.data import LOCAL_DISTANCE
from digitalmodel_optimizer_plugins.affinity.gain import (
    USUAL_DISTANCE,
    factor_of,
    remote_share,
    saved,
    share_of,
    table,
)


def main(words: Sequence[str] | None = None) -> int:
    """The exit status."""
    arguments = _parser().parse_args(words)
    try:
        share, source = _share(arguments)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{arguments.report}: not the report of a run ({error})\n")
        return 2
    lines = _lines(share, source, arguments.distance / LOCAL_DISTANCE)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digitalmodel_optimizer_plugins.affinity",
        description="What memory of their own NUMA node would save workers, at best.",
    )
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "report",
        nargs="?",
        type=Path,
        help="the JSON report of a run (DIGITALMODEL_OPTIMIZER_REPORT), which has the share",
    )
    one.add_argument(
        "--share", type=_part, help="that share itself, 0 to 1: loading and reading results"
    )
    parser.add_argument(
        "--distance",
        type=_distance,
        default=USUAL_DISTANCE,
        help=f"of other nodes, {LOCAL_DISTANCE} is local (default: {USUAL_DISTANCE})",
    )
    return parser


def _part(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1 (got {text})")
    return value


def _distance(text: str) -> float:
    value = float(text)
    if not LOCAL_DISTANCE <= value <= 255:
        raise argparse.ArgumentTypeError(f"must be from {LOCAL_DISTANCE} to 255 (got {text})")
    return value


def _share(arguments: argparse.Namespace) -> tuple[float, str]:
    """The share, and in words where it is from.

    :raises OSError, ValueError, KeyError, TypeError: the file is no report.
    """
    if arguments.report is None:
        return arguments.share, " (as given)"
    found = share_of(json.loads(arguments.report.read_text(encoding="utf-8"))["records"])
    if found is None:
        raise ValueError("it has no file that was done")
    parts = f" (loading {found.load:.0%}, reading results {found.read:.0%})"
    waiting = "the rest is waiting, which memory does not shorten"
    files = "1 file has" if found.files == 1 else f"{found.files} files have"
    busy = f"{files} used a CPU for {found.busy:.0%} of the time"
    return found.total, f"{parts}\n{busy}; {waiting}"


def _lines(share: float, source: str, factor: float) -> Iterator[str]:
    yield f"bound by memory: at most {share:.0%} of a file's CPU time{source}"
    yield f"memory of another node: {factor:.1f} times as slow"
    yield from table(share, factor)
    topology = detect_topology()
    yield f"this machine: {topology}"
    own, nodes = factor_of(topology), len(topology.with_cpus)
    if own is not None and nodes > 1:
        best = saved(share, remote_share(nodes), own)
        yield f"other nodes' memory is {own:.1f} times as slow here; saved at best: {best:.1%}"


if __name__ == "__main__":
    sys.exit(main())
