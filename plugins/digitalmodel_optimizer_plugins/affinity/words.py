"""What became of the workers, as one sentence for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from digitalmodel_optimizer_plugins.affinity.claims import Pinned


def in_words(workers: Sequence[Pinned]) -> str:
    """``4 workers bound to 8 CPUs each: 2 on node 0, 2 on node 1``."""
    if not workers:
        return "no worker process has asked for a place"
    return "; ".join(_parts(workers))


def _parts(workers: Sequence[Pinned]) -> Iterator[str]:
    bound = [item for item in workers if item.bound]
    places = {item.slot: item for item in bound}
    if places:
        sizes = sorted({len(item.cpus) for item in places.values()})
        span = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        each = f"{span} CPU{'' if span == '1' else 's'}"
        each += " each" if len(places) > 1 else ""
        on_node = Counter(item.node for item in places.values())
        where = ", ".join(f"{number} on node {node}" for node, number in sorted(on_node.items()))
        alone = "all on" if len(places) > 1 else "on"
        where = where if len(on_node) > 1 else f"{alone} node {next(iter(on_node))}"
        yield f"{_count(len(places), 'worker')} bound to {each}: {where}"
    if len(bound) > len(places):
        yield f"{len(bound) - len(places)} replaced, in the same places"
    refused = Counter(item.fault for item in workers if item.fault)
    for fault, number in refused.items():
        yield f"{_count(number, 'worker')} met: {fault}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
