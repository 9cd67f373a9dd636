"""When a number of workers would be done, of whom some work and others have yet to start."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

# Two workers that import the host at once on two cores need 1.25 times the seconds of one
# (measured: 3.24 s against 2.58 s); so the share of a start that all others prolong is a half.
START_CONTENTION = 0.5
# What the parent has to do for each worker that it starts, one after the other (measured: 21 ms
# beside the workers that start, 6 ms where nothing else runs).
SPAWN_S = 0.021
# From so many files per worker on, dividing the work is as exact as playing the schedule through.
PLAYED_FILES_PER_WORKER = 50
_ROUNDING = 1e-9


def makespan_s(costs_s: Sequence[float], begins_s: Sequence[float]) -> float:
    """Seconds until workers that begin at ``begins_s`` have done all files, the next file always
    to the first free one.
    """
    if len(costs_s) > PLAYED_FILES_PER_WORKER * len(begins_s):
        return shared_s(sum(costs_s), max(costs_s), begins_s)
    free_at_s = list(begins_s)
    heapq.heapify(free_at_s)
    end_s = 0.0
    for cost_s in sorted(costs_s, reverse=True):
        done_s = free_at_s[0] + cost_s
        heapq.heapreplace(free_at_s, done_s)
        end_s = max(end_s, done_s)
    return end_s


def shared_s(total_s: float, longest_s: float, begins_s: Sequence[float]) -> float:
    """Seconds until workers that begin at ``begins_s`` have done ``total_s`` of work, where it
    divides evenly.
    """
    given_s, working = total_s, 0
    for begin_s in sorted(begins_s):
        if working and (given_s + begin_s) / (working + 1) >= given_s / working:
            break
        given_s, working = given_s + begin_s, working + 1
    return max(given_s / max(1, working), longest_s)


def makespan_of_equal_s(files: int, file_s: float, begins_s: Sequence[float]) -> float:
    """:func:`makespan_s` of so many files that take ``file_s`` each."""
    if not files or file_s <= 0:
        return min(begins_s) if files else 0.0
    until_s = shared_s(files * file_s, file_s, begins_s)
    # What each has done by then; the few files left over go to those that end them first.
    done = [max(0, int((until_s - begin_s) / file_s + _ROUNDING)) for begin_s in begins_s]
    ends_s = [begin_s + number * file_s for begin_s, number in zip(begins_s, done, strict=True)]
    left = max(0, files - sum(done))
    further_s = sorted(end_s + file_s for end_s in ends_s)[:left]
    return max([*further_s, *(end_s for end_s, number in zip(ends_s, done, strict=True) if number)])


def begins_s_of(workers: int, ready: int, starting: int, start_s: float, cpus: int) -> list[float]:
    """When each of ``workers`` begins, in seconds from now.

    ``ready`` of them need no start any more, but for the ``starting`` of these, which are half way
    through. The parent starts all others one after the other.
    """
    slower = 1 + START_CONTENTION * (workers - 1) / cpus
    starting = min(starting, ready)
    late = max(0, workers - ready)
    begins_s = [0.0] * (ready - starting) + [start_s * slower / 2] * starting
    begins_s += [start_s * slower + SPAWN_S * place for place in range(1, late + 1)]
    return begins_s[:workers]
