"""A plugin that raises: named always, silenced where it was only told, the end where it was asked.

Plugins are real modules here, since a fault is laid to the module that it came out of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitalmodel_optimizer.plugin import (
    Adjustment,
    Group,
    PluginError,
    SettingsError,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager, PluginReference, build_manager

TOLD = {
    "optimizer_batch_started": {"batch": None, "settings": None},
    "optimizer_progress": {"progress": None, "settings": None},
    "optimizer_file_finished": {"result": None, "settings": None},
    "optimizer_batch_finished": {"batch": None, "report": None, "settings": None},
}
ASKED = {
    "optimizer_group_files": {"files": (), "settings": None},
    "optimizer_allocate": dict.fromkeys(("group", "files", "machine", "measured", "settings")),
    "optimizer_executor": dict.fromkeys(("schedule", "process_file", "machine", "settings")),
    "optimizer_file_failed": dict.fromkeys(("file", "error", "attempt", "settings")),
    "optimizer_configure": {"settings": None},
}
ADJUST = {"progress": None, "machine": None, "settings": None}
Made = Callable[..., PluginReference]


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A plugin of somebody else with one hook, whose body is given; ``calls`` counts its calls."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(
        hook: str, body: str, name: str = "stranger", marker: str = "@hookimpl"
    ) -> PluginReference:
        module = _module(name)
        (tmp_path / f"{module}.py").write_text(
            "from digitalmodel_optimizer.plugin import Adjustment, SettingsError, hookimpl\n"
            f"calls = []\n{marker}\ndef {hook}():\n    calls.append(1)\n    {body}\n"
        )
        monkeypatch.delitem(sys.modules, module, raising=False)
        return PluginReference(name, module, "strange-plugins")

    return make


def calls(name: str = "stranger") -> int:
    return len(sys.modules[_module(name)].calls)


def _module(name: str) -> str:
    return f"plugin_of_{name.replace('-', '_')}"


class Answering:
    """Answers whatever hook it is given, and counts."""

    def __init__(self, manager: Manager, hook: str, answer: Any = None) -> None:
        self.heard = 0

        def implementation() -> Any:
            self.heard += 1
            return answer

        self.implementation = hookimpl(implementation, specname=hook)
        manager.register(self, name=f"answering {id(self)}")


WHO = "plugin stranger (plugin_of_stranger, from strange-plugins)"


@pytest.mark.parametrize("hook", TOLD)
def test_a_plugin_that_is_told_and_raises_is_silenced_and_named(stranger: Made, hook: str) -> None:
    manager = build_manager([stranger(hook, "raise ValueError('no')")])
    others = [Answering(manager, hook), Answering(manager, hook)]
    for _ in range(3):
        manager.tell(hook, **TOLD[hook])
    assert calls() == 1
    assert [other.heard for other in others] == [3, 3]
    [fault] = manager.faults
    assert str(fault) == f"{WHO}: {hook} raised ValueError: no"
    assert isinstance(fault.__cause__, ValueError)


def test_a_plugin_is_silenced_for_one_hook_only(tmp_path: Path, stranger: Made) -> None:
    reference = stranger("optimizer_progress", "raise ValueError('no')")
    with (tmp_path / "plugin_of_stranger.py").open("a") as module:
        module.write("ended = []\n@hookimpl\ndef optimizer_batch_finished(): ended.append(1)\n")
    manager = build_manager([reference])
    for hook in ("optimizer_progress", "optimizer_batch_finished"):
        manager.tell(hook, **TOLD[hook])
    assert sys.modules["plugin_of_stranger"].ended == [1]
    assert len(manager.faults) == 1


def test_each_plugin_that_raises_is_named_and_asked_in_pluggys_order(stranger: Made) -> None:
    hook = "optimizer_file_finished"
    manager = build_manager(
        [
            stranger(hook, "raise KeyError('first')", "one"),
            stranger(hook, "raise OSError('second')", "two"),
        ]
    )
    manager.tell(hook, **TOLD[hook])
    assert [str(fault).partition(" (")[0] for fault in manager.faults] == [
        "plugin two",
        "plugin one",
    ]


def test_a_plugin_that_comes_later_is_told_too(stranger: Made) -> None:
    hook = "optimizer_progress"
    manager = build_manager([stranger(hook, "pass")])
    manager.tell(hook, **TOLD[hook])
    late = Answering(manager, hook)
    manager.tell(hook, **TOLD[hook])
    assert (calls(), late.heard) == (2, 1)


def test_ctrl_c_in_a_plugin_is_still_the_users(stranger: Made) -> None:
    hook = "optimizer_progress"
    manager = build_manager([stranger(hook, "raise KeyboardInterrupt")])
    with pytest.raises(KeyboardInterrupt):
        manager.tell(hook, **TOLD[hook])
    assert not manager.faults


@pytest.mark.parametrize("hook", ASKED)
def test_a_plugin_that_is_asked_and_raises_ends_the_batch_and_is_named(
    stranger: Made, hook: str
) -> None:
    manager = build_manager([stranger(hook, "raise ValueError('no')")])
    Answering(manager, hook, None)
    with pytest.raises(PluginError) as caught:
        manager.ask(hook, **ASKED[hook])
    assert str(caught.value) == f"{WHO}: {hook} raised ValueError: no"
    assert isinstance(caught.value.__cause__, ValueError)
    assert not manager.faults


def test_settings_that_a_plugin_refuses_are_told_as_they_are(stranger: Made) -> None:
    body = "raise SettingsError(['a and b do not go together'])"
    manager = build_manager([stranger("optimizer_configure", body)])
    with pytest.raises(SettingsError, match="a and b do not go together"):
        manager.ask("optimizer_configure", settings=None)


def test_an_answer_comes_back_from_the_first_that_has_one(stranger: Made) -> None:
    manager = build_manager([stranger("optimizer_group_files", "return None")])
    groups = [Group("all", ())]
    Answering(manager, "optimizer_group_files", groups)
    assert manager.ask("optimizer_group_files", files=(), settings=None) is groups


@pytest.mark.parametrize("wraps", [False, True])
def test_a_fault_of_ours_is_not_laid_to_a_stranger_beside_it(stranger: Made, wraps: bool) -> None:
    ours = stranger("optimizer_allocate", "raise ValueError('ours')", "thread-allocation")
    if wraps:
        body = "return (yield)"
        reference = stranger("optimizer_allocate", body, marker="@hookimpl(wrapper=True)")
    else:
        reference = stranger("optimizer_allocate", "return None")
    manager = build_manager([ours, reference])
    with pytest.raises(PluginError, match=r"^plugin thread-allocation \("):
        manager.ask("optimizer_allocate", **ASKED["optimizer_allocate"])


def test_an_adjustment_is_taken_from_others_when_a_plugin_raises(stranger: Made) -> None:
    hook = "optimizer_adjust"
    manager = build_manager([])
    ours = Answering(manager, hook, Adjustment(2, "memory"))
    reference = stranger(hook, "raise ValueError('no')")
    manager.add(reference.load(), reference)
    answers = [manager.ask_tolerant(hook, **ADJUST) for _ in range(3)]
    assert answers == [Adjustment(2, "memory")] * 3
    assert (calls(), ours.heard) == (1, 3)
    assert [str(fault) for fault in manager.faults] == [f"{WHO}: {hook} raised ValueError: no"]


def test_two_plugins_that_cannot_adjust_are_both_named(stranger: Made) -> None:
    hook = "optimizer_adjust"
    manager = build_manager([stranger(hook, "1 / 0", name) for name in ("one", "two")])
    assert manager.ask_tolerant(hook, **ADJUST) is None
    assert manager.ask_tolerant(hook, **ADJUST) is None
    assert (calls("one"), calls("two")) == (1, 1)
    assert len(manager.faults) == 2


def test_a_fault_of_ours_leaves_strangers_their_say(stranger: Made) -> None:
    hook = "optimizer_adjust"
    ours = stranger(hook, "raise ValueError('ours')", "thread-allocation")
    other = stranger(hook, "return Adjustment(3, 'gently') if len(calls) > 1 else None")
    manager = build_manager([ours, other])
    assert manager.ask_tolerant(hook, **ADJUST) == Adjustment(3, "gently")
    [fault] = manager.faults
    assert str(fault).startswith("plugin thread-allocation (")
