"""Every decision in words and figures: observed, fitted, chosen, compared with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from digitalmodel_optimizer_plugins.tuning.choice import SURE, Limits
from digitalmodel_optimizer_plugins.tuning.curve import Curve
from digitalmodel_optimizer_plugins.tuning.learned import (
    Learned,
    learned_of,
    limits_of,
    work_of,
)
from digitalmodel_optimizer_plugins.tuning.observation import Observation, Place
from digitalmodel_optimizer_plugins.tuning.relevant import Relevant
from digitalmodel_optimizer_plugins.tuning.store import Known


def explain(known: Known, store: str, options: Mapping[str, Any], batch: str) -> Iterator[str]:
    """Lines on each place, or on those of the user's file ``batch``, if it is named."""
    places = [place for place in known.places if batch in ("", place.batch)]
    yield f"{store}: {_runs(len(known.observations))}, {_kinds(len(known.places))}"
    if known.frozen:
        yield "frozen: nothing is learned or tried out until 'tuning thaw'"
    if not places:
        of = f" of {batch}" if batch else ""
        yield f"no run{of} is known; the next one has the static choice"
    for place in places:
        yield ""
        yield place.words
        yield from _explain_place(known.of(place), place, options, frozen=known.frozen)


def _explain_place(
    runs: Sequence[Observation], place: Place, options: Mapping[str, Any], *, frozen: bool
) -> Iterator[str]:
    plan = runs[-1].plan
    limits = limits_of(runs, plan, options)
    if frozen:
        limits = Limits(**{**vars(limits), "explore": False})
    found = learned_of(runs, work_of(place, plan), limits)
    if found is None:
        yield "  observed: nothing that counts"
        return
    yield from _observed(found.relevant)
    yield from _fitted(found.curve, found)
    yield f"  chosen now: {found.workers} workers: {found.reason}"
    yield (
        f"  compared with: the static choice, {plan.static} workers; all budgets allow {plan.bound}"
    )
    yield from _compared(found)
    yield f"  margin: {_margin(limits)}"
    yield f"  trials: {_trials(runs, limits, options, frozen=frozen)}"


def _observed(relevant: Relevant) -> Iterator[str]:
    runs = relevant.runs
    days = [time.strftime("%Y-%m-%d", time.localtime(run.at_s)) for run in (runs[0], runs[-1])]
    yield f"  observed: {_runs(len(runs))} from {days[0]} to {days[1]}"
    for workers in sorted({run.workers for run in runs}):
        rates = [run.mb_per_s for run in runs if run.workers == workers]
        tried = sum(run.explored for run in runs if run.workers == workers)
        yield (
            f"    {workers:4} workers, {len(rates)} times: {median(rates):.4g} MB/s "
            f"({min(rates):.4g} to {max(rates):.4g})" + (f", {tried} tried out" if tried else "")
        )
    if relevant.since_s is not None:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(relevant.since_s))
        yield (
            f"    the machine changed on {day} ({relevant.change - 1:+.0%}); earlier runs do not "
            "count"
        )
    if relevant.odd:
        runs_do = "run does" if relevant.odd == 1 else "runs do"
        yield f"    {relevant.odd} odd {runs_do} not count: no others bear that out"


def _fitted(curve: Curve, found: Learned) -> Iterator[str]:
    (sigma_low, sigma_high), (kappa_low, kappa_high) = (
        curve.interval(values) for values in (curve.sigma, curve.kappa)
    )
    one, low, high = curve.throughput(1)
    yield (
        f"  curve: {one:.4g} MB/s for one worker ({low:.4g} to {high:.4g}), contention "
        f"{curve.mean(curve.sigma):.3g} ({sigma_low:.3g} to {sigma_high:.3g}), coherence "
        f"{curve.mean(curve.kappa):.2g} ({kappa_low:.2g} to {kappa_high:.2g}); a run scatters by "
        f"{curve.noise:.0%}"
    )


def _compared(found: Learned) -> Iterator[str]:
    yield "    workers   MB/s (8 of 10 between)   seconds   against static (9 of 10 below)"
    for item in found.choice.candidates:
        rate, low, high = found.curve.throughput(item.workers)
        mark = "*" if item.workers == found.workers else " "
        yield (
            f"   {mark}{item.workers:7}   {rate:7.4g} ({low:.4g} to {high:.4g})   "
            f"{item.seconds:7.1f}   {item.against_static - 1:+.1%} ({item.at_worst - 1:+.1%})"
        )


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _kinds(number: int) -> str:
    return "1 kind of batch" if number == 1 else f"{number} kinds of batch"


def _margin(limits: Limits) -> str:
    return (
        f"a number counts only if it is at most {limits.margin:.0%} slower than the static one "
        f"with a probability of {SURE:.0%}"
    )


def _trials(
    runs: Sequence[Observation], limits: Limits, options: Mapping[str, Any], *, frozen: bool
) -> str:
    every = options["explore_every"]
    if frozen or every < 1:
        return "none" + (" while frozen" if frozen else ", explore_every is 0")
    due = "the next run may" if limits.explore else "not in the next run;"
    return (
        f"{due} try another number, at most every {every} runs, one step of "
        f"{limits.step:.0%}, in batches from {limits.explore_from_s:g} s on, where at most "
        f"{limits.margin:.0%} are expected to be lost; {sum(run.explored for run in runs)} so far"
    )
