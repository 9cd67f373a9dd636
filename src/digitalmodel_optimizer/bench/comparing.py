"""Comparing a run with a baseline: counts exactly, times beyond the noise that was measured.

Times of two machines say nothing of each other. Where both runs measured the floor, a
configuration's time is taken as a multiple of the floor's in the same round, which a faster or
busier machine changes little; without it, times count only on the machine of the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from digitalmodel_optimizer.bench.configurations import FLOOR
from digitalmodel_optimizer.bench.results import Measured, Result, SuiteResult
from digitalmodel_optimizer.bench.statistics import change
from digitalmodel_optimizer.report.format import duration

_SAME_MACHINE = ("processor", "logical_cpus", "platform")


@dataclass(frozen=True)
class Finding:
    """One line of a comparison; ``bad`` ones make it fail.

    A count that fell is bad as well, since it must be equal, but not ``worse``: a new baseline
    keeps the gain.
    """

    suite: str
    configuration: str
    words: str
    bad: bool = False
    worse: bool = True


def compare_results(baseline: Result, result: Result) -> tuple[Finding, ...]:
    """What changed from ``baseline`` to ``result``; what only one of them has is said, no fault."""
    return tuple(_compare(baseline, result))


def _compare(baseline: Result, result: Result) -> Iterator[Finding]:
    same_machine = all(baseline.machine.get(k) == result.machine.get(k) for k in _SAME_MACHINE)
    other_versions = _other_versions(baseline, result)
    compared = 0
    for suite in result.suites:
        before = baseline.get(suite.name)
        if before is None:
            yield Finding(suite.name, "", "not in the baseline")
            continue
        if (before.files, round(before.size_mb, 3)) != (suite.files, round(suite.size_mb, 3)):
            yield Finding(
                suite.name,
                "",
                f"another batch: {before.files} files of {before.size_mb:.1f} MB in the baseline, "
                f"{suite.files} of {suite.size_mb:.1f} MB now",
                bad=True,
            )
            continue
        for item in suite.measured:
            older = before.get(item.name)
            if older is None:
                yield Finding(suite.name, item.name, "not in the baseline")
                continue
            compared += 1
            yield from _counts(suite.name, older, item, other_versions)
            yield from _times(before, suite, older, item, same_machine)
    yield from _gone(baseline, result)
    if not compared:
        yield Finding("", "", "nothing in common with the baseline: nothing was compared", bad=True)


def _gone(baseline: Result, result: Result) -> Iterator[Finding]:
    """What only the baseline has, so that nobody takes it for compared."""
    for before in baseline.suites:
        suite = result.get(before.name)
        if suite is None:
            yield Finding(before.name, "", "in the baseline, not measured now")
            continue
        for item in before.measured:
            if suite.get(item.name) is None:
                why = suite.skipped.get(item.name, "not measured now")
                yield Finding(suite.name, item.name, f"in the baseline, {why}")


def _other_versions(baseline: Result, result: Result) -> str:
    names = baseline.versions.keys() | result.versions.keys()
    changed = [
        f"{name} {baseline.versions.get(name, 'none')} -> {result.versions.get(name, 'none')}"
        for name in sorted(names)
        if baseline.versions.get(name) != result.versions.get(name)
    ]
    return f" (versions differ: {', '.join(changed)})" if changed else ""


def _counts(suite: str, older: Measured, newer: Measured, versions: str) -> Iterator[Finding]:
    if older.counts is None or newer.counts is None:
        return
    before, after = asdict(older.counts), asdict(newer.counts)
    calls_before, calls_after = before.pop("native_calls"), after.pop("native_calls")
    pairs = [
        (name, calls_before.get(name, 0), calls_after.get(name, 0))
        for name in sorted({*calls_before, *calls_after})
    ]
    pairs += [(name.replace("_", " "), before[name], after[name]) for name in before]
    changed = [f"{name} {was} -> {now}" for name, was, now in pairs if was != now]
    if changed:
        worse = any(now > was for _, was, now in pairs)
        words = f"counts: {', '.join(changed)}{versions}"
        yield Finding(suite, newer.name, words, bad=True, worse=worse)
    else:
        yield Finding(suite, newer.name, f"counts: equal, {newer.counts.native_total} native calls")


def _times(
    before: SuiteResult, after: SuiteResult, older: Measured, newer: Measured, same_machine: bool
) -> Iterator[Finding]:
    if not older.rounds or not newer.rounds or newer.name == FLOOR.name:
        return
    was, now = _in_floors(before, older), _in_floors(after, newer)
    unit = "times the floor"
    if not was or not now:
        if not same_machine:
            yield Finding(
                after.name, newer.name, "times: another machine and no floor, not compared"
            )
            return
        was, now, unit = older.of("loop_s"), newer.of("loop_s"), "s"
    found = change(was, now)
    if found is None or found.limit is None:
        words = "times: too few warm rounds to know the noise, not compared"
        yield Finding(after.name, newer.name, words)
        return
    spreads = older.spread("loop_s"), newer.spread("loop_s")
    absolute = " -> ".join(duration(item.median) for item in spreads if item)
    words = (
        f"times: {found.ratio:.2f} x the baseline in {unit} ({absolute}); "
        f"up to {found.limit:.2f} x is noise"
    )
    yield Finding(after.name, newer.name, words, bad=found.slower)


def _in_floors(suite: SuiteResult, item: Measured) -> list[float]:
    """The warm rounds' times as multiples of the floor's in the same round."""
    floor = suite.get(FLOOR.name)
    if floor is None:
        return []
    by_number = {round_.number: round_.loop_s for round_ in floor.rounds if not round_.cold}
    return [
        round_.loop_s / by_number[round_.number]
        for round_ in item.rounds
        if not round_.cold and by_number.get(round_.number)
    ]
