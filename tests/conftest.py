"""Fixtures for all tests; nothing heavy is imported here."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from host_process import HostProcess

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background, as some runners do it: processes would never see a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What tests run is no history of anybody's.
os.environ["DIGITALMODEL_OPTIMIZER_HISTORY"] = "off"
os.environ["DIGITALMODEL_OPTIMIZER_TUNING"] = "off"
_serving: list[Any] = []
_OURS = ("DIGITALMODEL_OPTIMIZER", "SIMULATED_ORCAFLEX")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests run in one process, for what they share; but for those that say otherwise."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _variables() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith(_OURS)}


def _our_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("optimizer-")}


def _children() -> set[int]:
    """Child processes of this one, defunct ones left out; loky's resource tracker may stay."""
    import psutil

    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in command:
                found.add(child.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """No test leaves environment variables, threads or processes of ours behind.

    Hosts that serve a whole session (``plain_host``, ``plugin_host``) are not leaks.
    """
    import psutil

    variables, threads, children = _variables(), _our_threads(), _children()
    yield
    assert _variables() == variables, "a test left environment variables"
    serving = {host.pid for host in _serving}
    deadline = time.monotonic() + 5.0
    while True:
        left = (_our_threads() - threads, _children() - children - serving)
        if not any(left) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for child in left[1]:  # or every test after this one would fail too
        with contextlib.suppress(psutil.Error):
            psutil.Process(child).kill()
    assert not left[0], "a test left threads of ours"
    assert not left[1], "a test left child processes"


@pytest.fixture(scope="session")
def plain_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """The engine as it is without us: ``DIGITALMODEL_OPTIMIZER=off``."""
    yield from _host(tmp_path_factory.mktemp("plain-host"), DIGITALMODEL_OPTIMIZER="off")


@pytest.fixture(scope="session")
def plugin_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """The engine in a process where the project is installed."""
    yield from _host(tmp_path_factory.mktemp("plugin-host"))


def _host(folder: Path, **variables: str) -> Iterator[HostProcess]:
    for name in ("digitalmodel", "OrcFxAPI"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    from host_process import HostProcess  # beside the tests of the engine, which use it

    with HostProcess(folder, **variables) as host:
        _serving.append(host)
        yield host
        _serving.remove(host)


# How long an example takes says nothing on a shared machine.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")
