"""The page of batches' file sizes, side by side."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from digitalmodel_optimizer.pages.parts import page, table
from digitalmodel_optimizer.pages.svg import Plot
from digitalmodel_optimizer.report.format import amount, count, duration


def profile_page(profiles: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    :param profiles: :func:`~..dry_run.profile.as_dict` of each.
    """
    names = ", ".join(PurePath(item["name"]).name for item in profiles)
    return page(f"file sizes: {names}", _body(profiles), {"files": "#35618f"})


def _body(profiles: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h1>File sizes</h1>\n"
    rows = [
        (
            PurePath(item["name"]).name,
            item["files"],
            amount(item["size_mb"]),
            *(amount(item["quantiles_mb"][share]) for share in ("0", "0.5", "0.95", "1")),
            duration(item["expected"]["seconds"]) if item["expected"] else "",
            amount(item["expected"]["memory_mb"]) if item["expected"] else "",
        )
        for item in profiles
    ]
    headings = ("batch", "files", "size", "smallest", "median", "95 % below", "largest",
                "expected time", "expected memory")  # fmt: skip
    yield table(headings, rows)
    for item in profiles:
        yield from _batch(item)


def _batch(item: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{html.escape(item['name'])}</h2>\n"
    machine = item["machine"]
    said = f"{machine['logical_cpus']} CPUs, {amount(machine['memory_available_mb'])} available"
    yield f'<p class="quiet">decided for {said}</p>\n'
    bins = item["histogram"]
    if not bins:
        yield "<p>There are no files.</p>\n"
        return
    height = 56 + 24 * len(bins)
    names = [f"{amount(bar['from_mb'])} to" for bar in bins]
    most = 1.05 * max(bar["files"] for bar in bins)
    plot = Plot("files", "", most, len(bins), height, names)
    for place, bar in enumerate(bins):
        words = (
            f"{amount(bar['from_mb'])} to {amount(bar['below_mb'])}: {count(bar['files'], 'file')}"
        )
        plot.bar(0, bar["files"], place + 0.12, place + 0.88, "files", words)
    yield plot.drawn(f"number of files by size of {item['name']}")
    rows = [
        (group["label"], group["files"], amount(group["size_mb"]), group["workers"],
         group["native_threads"], group["reason"])
        for group in item["groups"]
    ]  # fmt: skip
    yield table(("group", "files", "size", "workers", "native threads", "reason"), rows)
