"""Plans for many files: reading in threads, parsing in processes, results in order, flat memory."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from digitalmodel_optimizer_migration.data import Choice, Counts, FilePlan
from digitalmodel_optimizer_migration.plan import plan_file, read_candidate
from digitalmodel_optimizer_migration.walk import THREADS

In = TypeVar("In")
Out = TypeVar("Out")
_READ_AT_ONCE = 64  # files a task; a task costs about as much as reading one small file
_PLANNED_AT_ONCE = 8
# Starting two processes takes as long as planning about this many files.
_WORTH_PROCESSES = 32
MOST_JOBS = 8
# Windows waits for 63 handles at once, of which Python needs a few for itself.
MOST_JOBS_ON_WINDOWS = 60


def default_jobs() -> int:
    return min(os.cpu_count() or 1, MOST_JOBS)


def plans(paths: Iterable[str], choice: Choice, jobs: int, counts: Counts) -> Iterator[FilePlan]:
    """Plans of those of ``paths`` that have anything to say, in the order of ``paths``.

    :param jobs: processes that parse; 1 stays in this one.
    :param counts: gets the number of files, candidates and skipped ones.
    """
    candidates = _candidates(paths, choice, counts)
    jobs = min(jobs, MOST_JOBS_ON_WINDOWS) if sys.platform == "win32" else jobs
    if jobs <= 1:
        yield from _told((plan_file(path, choice) for path in candidates), counts)
        return
    first = list(islice(candidates, _WORTH_PROCESSES))
    yield from _told((plan_file(path, choice) for path in first), counts)
    if len(first) < _WORTH_PROCESSES:
        return
    chunks = ((chunk, choice) for chunk in _chunks(candidates, _PLANNED_AT_ONCE))
    later = next(chunks, None)
    if later is None:
        return
    # Spawned everywhere, as Windows does it: a forked child would inherit the walk's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as processes:
        for planned in _ordered(processes, _plan_chunk, _chain(later, chunks), 4 * jobs):
            yield from _told(planned, counts)


def _told(planned: Iterable[FilePlan], counts: Counts) -> Iterator[FilePlan]:
    for plan in planned:
        if plan.skipped:  # it changed since it was looked at
            counts.pass_over(plan.path, plan.skipped)
        elif plan.findings:
            yield plan


def _candidates(paths: Iterable[str], choice: Choice, counts: Counts) -> Iterator[str]:
    chunks = ((chunk, choice) for chunk in _chunks(paths, _READ_AT_ONCE))
    with ThreadPoolExecutor(THREADS, "migration-read") as threads:
        for looked_at in _ordered(threads, _look_at_chunk, chunks, 2 * THREADS):
            for path, answer in looked_at:
                counts.files += 1
                if answer is None:
                    counts.candidates += 1
                    yield path
                elif answer:
                    counts.pass_over(path, answer)


def _look_at_chunk(task: tuple[list[str], Choice]) -> list[tuple[str, str | None]]:
    """Each path with None if it has to be parsed, else why not; the bytes are not kept."""
    chunk, choice = task
    found: list[tuple[str, str | None]] = []
    for path in chunk:
        answer = read_candidate(path, choice)
        found.append((path, answer if isinstance(answer, str) else None))
    return found


def _plan_chunk(task: tuple[list[str], Choice]) -> list[FilePlan]:
    chunk, choice = task
    return [plan_file(path, choice) for path in chunk]


def _chunks(items: Iterable[In], size: int) -> Iterator[list[In]]:
    waiting = iter(items)
    while chunk := list(islice(waiting, size)):
        yield chunk


def _chain(first: In, others: Iterator[In]) -> Iterator[In]:
    yield first
    yield from others


def _ordered(
    executor: Executor, work: Callable[[In], Out], tasks: Iterable[In], window: int
) -> Iterator[Out]:
    """Like ``executor.map``, with at most ``window`` tasks under way: memory stays flat."""
    under_way: deque[Future[Out]] = deque()
    waiting = iter(tasks)
    try:
        for task in islice(waiting, window):
            under_way.append(executor.submit(work, task))
        while under_way:
            yield under_way.popleft().result()
            for task in islice(waiting, 1):
                under_way.append(executor.submit(work, task))
    finally:
        for future in under_way:
            future.cancel()
