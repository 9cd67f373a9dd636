"""Modules of tests that worker processes import, and a look at what a test has left behind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # workers get our path
    sys.path.insert(0, str(HERE))

from worker_processes import until, workers_of

from digitalmodel_optimizer_plugins import hybrid_executor


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    hybrid_executor.optimizer_batch_finished()
    assert not workers_of(os.getpid())
    assert until(lambda: set(threading.enumerate()) <= threads, 10), threading.enumerate()
