"""Where the time of a file goes: seconds by stage, and by what plugins measure of their own work.

One clock runs for each file, on the thread that works on it. Who is not working on a file may use
:class:`performance_timer` as well; it then measures nothing.
"""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from digitalmodel_optimizer.plugin.results import Timings

_this_thread = threading.local()


class Stage(enum.Enum):
    """What a worker does with a file. Each moment belongs to one stage; the engine's own work, and
    what plugins do beside it, is what remains.
    """

    LOAD = "load"
    ENUMERATE = "enumerate"
    READ = "read"
    ENGINE = "engine"
    WRITE = "write"


ALL_STAGES = ("wait", *(item.value for item in Stage), "publish")
"""What a file goes through, in order: a worker's stages, and what comes before and after them."""


class StageClock:
    """Wall and CPU seconds of one file by stage; they add up to the time since it was made.

    A stage that begins within another one interrupts it. While the clock is entered, it is the one
    of the calling thread. ``notes``: seconds by plugin and quantity.

    :param show: told of each stage that begins.
    """

    def __init__(self, show: Callable[[Stage], None] = lambda _: None) -> None:
        self.began_s = time.time()
        self._show = show
        self.wall_s = dict.fromkeys(Stage, 0.0)
        self.cpu_s = dict.fromkeys(Stage, 0.0)
        self.notes: dict[str, dict[str, float]] = {}
        self._stage = Stage.ENGINE
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def __enter__(self) -> StageClock:
        _this_thread.clock = self
        return self

    def __exit__(self, *_: object) -> None:
        _this_thread.clock = None

    def switch(self, stage: Stage) -> Stage:
        """What comes next belongs to ``stage``; the stage before it."""
        wall, cpu = time.perf_counter(), time.thread_time()
        self.wall_s[self._stage] += wall - self._wall
        self.cpu_s[self._stage] += cpu - self._cpu
        self._wall, self._cpu = wall, cpu
        before, self._stage = self._stage, stage
        self._show(stage)
        return before

    def timings(self) -> Timings:
        """Up to now."""
        self.switch(self._stage)
        wall, cpu = self.wall_s, self.cpu_s
        return Timings(
            total_s=sum(wall.values()),
            load_s=wall[Stage.LOAD],
            read_s=wall[Stage.READ],
            cpu_s=sum(cpu.values()),
            enumerate_s=wall[Stage.ENUMERATE],
            write_s=wall[Stage.WRITE],
            load_cpu_s=cpu[Stage.LOAD],
            enumerate_cpu_s=cpu[Stage.ENUMERATE],
            read_cpu_s=cpu[Stage.READ],
            write_cpu_s=cpu[Stage.WRITE],
            began_s=self.began_s,
        )

    def with_notes(
        self, notes: Mapping[str, Mapping[str, float]]
    ) -> Mapping[str, Mapping[str, float]]:
        """``notes`` and those of the timers."""
        if not self.notes:
            return notes
        both = {**notes}
        for plugin, measured in self.notes.items():
            both[plugin] = {**measured, **notes.get(plugin, {})}
        return both


class performance_timer(contextlib.ContextDecorator):  # noqa: N801 - used like a function
    """Measures what a plugin does to a file: ``with performance_timer("my-log", "parse"):``.

    Seconds of all uses add up to the file's note ``{"my-log": {"parse_s": ...}}``, which reports
    show. Also a decorator. ``stage``: the time belongs to this stage of the file as well.
    """

    def __init__(self, plugin: str, quantity: str, stage: Stage | None = None) -> None:
        self._plugin = plugin
        self._quantity = f"{quantity}_s"
        self._stage = stage
        self._began: list[tuple[StageClock | None, float, Stage]] = []

    def _recreate_cm(self) -> performance_timer:
        return performance_timer(self._plugin, self._quantity.removesuffix("_s"), self._stage)

    def __enter__(self) -> performance_timer:
        clock = _clock()
        before = Stage.ENGINE
        if clock is not None and self._stage is not None:
            before = clock.switch(self._stage)
        self._began.append((clock, time.perf_counter(), before))
        return self

    def __exit__(self, *_: object) -> None:
        clock, began, before = self._began.pop()
        if clock is None:
            return
        if self._stage is not None:
            clock.switch(before)
        noted = clock.notes.setdefault(self._plugin, {})
        noted[self._quantity] = noted.get(self._quantity, 0.0) + time.perf_counter() - began


@contextlib.contextmanager
def stage(name: Stage) -> Iterator[None]:
    """What happens inside belongs to this stage of the calling thread's file."""
    clock = _clock()
    if clock is None:
        yield
        return
    before = clock.switch(name)
    try:
        yield
    finally:
        clock.switch(before)


def current_clock() -> StageClock:
    """The clock of the file that the calling thread works on; one of its own if there is none."""
    return _clock() or StageClock()


def _clock() -> StageClock | None:
    return getattr(_this_thread, "clock", None)
