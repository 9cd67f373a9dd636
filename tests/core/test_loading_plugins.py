"""Plugins come in by entry points; what breaks the contract is named with its distribution."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from digitalmodel_optimizer.batch.loading import load_plugins
from digitalmodel_optimizer.plugin import OptimizerWarning, PluginError, PluginOptions, hookimpl
from digitalmodel_optimizer.plugin import manager as managing
from digitalmodel_optimizer.plugin.manager import (
    BUILT_IN,
    PluginReference,
    build_manager,
    installed_plugins,
)

MODULES = {
    "stranger_good": "@hookimpl\ndef optimizer_batch_finished(batch, report): pass\n",
    "stranger_misspelled": "@hookimpl\ndef optimizer_batch_finnished(batch): pass\n",
    "stranger_renamed": (
        "from digitalmodel_optimizer.plugin import Option, PluginOptions\n"
        "heard = []\n"
        "@hookimpl(specname='optimizer_progress')\n"
        "def keep(progress): heard.append(progress)\n"
        "@hookimpl(specname='optimizer_options')\n"
        "def about(): return PluginOptions('Keeps.', (Option('level', int, 1, 'How much.'),))\n"
    ),
    "stranger_renamed_badly": (
        "@hookimpl(specname='optimizer_progres')\ndef keep(progress): pass\n"
    ),
    "stranger_unmarked": "def optimizer_batch_finished(batch, report): pass\n",
    "stranger_argument": "@hookimpl\ndef optimizer_batch_finished(batches): pass\n",
    "stranger_broken": "import a_module_that_does_not_exist\n",
    "stranger_options": "@hookimpl\ndef optimizer_options(): return {'summary': 'x'}\n",
    "stranger_asking": "@hookimpl\ndef optimizer_options(): return 1 / 0\n",
    "stranger_exit": "import sys\nsys.exit(3)\n",
    "stranger_class": (
        "class Plugin:\n    @hookimpl\n    def optimizer_progress(self, progress): pass\n"
    ),
    "stranger_class_renamed": (
        "class Plugin:\n"
        "    @hookimpl(specname='optimizer_progress')\n"
        "    def keep(self, progress): pass\n"
    ),
    "stranger_allocates": "@hookimpl\ndef optimizer_allocate(files): return 3\n",
}


@pytest.fixture(autouse=True)
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of plugins that are not ours."""
    for name, text in MODULES.items():
        start = "from digitalmodel_optimizer.plugin import hookimpl\n"
        (tmp_path / f"{name}.py").write_text(start + text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))


def reference(kind: str, name: str = "stranger") -> PluginReference:
    return PluginReference(name, f"stranger_{kind}", "strange-plugins")


WHO = r"plugin stranger \(stranger_{}, from strange-plugins\)"


def test_a_misspelled_hook_names_the_plugin_and_the_nearest_right_name() -> None:
    expected = WHO.format("misspelled") + (
        ": unknown hook optimizer_batch_finnished; did you mean optimizer_batch_finished?"
    )
    with pytest.raises(PluginError, match=expected):
        build_manager([reference("misspelled")])


def test_a_hook_may_be_implemented_under_any_name() -> None:
    manager = build_manager([reference("renamed")])
    manager.tell("optimizer_progress", progress="so far", settings=None)
    assert sys.modules["stranger_renamed"].heard == ["so far"]
    assert not manager.faults
    declared = manager.options()["stranger"]
    assert (declared.summary, [option.name for option in declared.options]) == ("Keeps.", ["level"])


def test_a_misspelled_hook_under_another_name_names_the_nearest_right_name() -> None:
    expected = WHO.format("renamed_badly") + (
        ": unknown hook optimizer_progres; did you mean optimizer_progress?"
    )
    with pytest.raises(PluginError, match=expected):
        build_manager([reference("renamed_badly")])


def test_a_hook_that_was_not_marked_is_named() -> None:
    expected = WHO.format("unmarked") + ": optimizer_batch_finished is not marked with @hookimpl"
    with pytest.raises(PluginError, match=expected):
        build_manager([reference("unmarked")])


def test_an_argument_that_a_hook_does_not_have_is_named() -> None:
    with pytest.raises(PluginError, match=WHO.format("argument")) as caught:
        build_manager([reference("argument")])
    assert "batches" in str(caught.value)


def test_a_plugin_that_cannot_be_imported_is_left_out_with_a_warning() -> None:
    expected = WHO.format("broken") + " is left out, it cannot be imported: ModuleNotFoundError"
    with pytest.warns(OptimizerWarning, match=expected):
        manager = build_manager([reference("broken"), reference("good", "good")])
    assert [item.name for item in manager.references] == ["good"]


def test_a_blocked_plugin_is_not_even_imported() -> None:
    manager = build_manager([reference("broken")], blocked=frozenset({"stranger"}))
    assert not manager.references


def test_a_name_to_block_that_nobody_has_is_told_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(managing.BLOCK_VARIABLE, "gcc, result-extraction")
    with pytest.warns(OptimizerWarning, match="no plugin is called gcc; did you mean gc?") as said:
        manager, _, settings = load_plugins({})
    assert len(said) == 1
    assert "result-extraction" not in [item.name for item in manager.references]
    assert {"gcc", "result-extraction"} <= settings.blocked


def test_options_of_the_wrong_type_are_named() -> None:
    manager = build_manager([reference("options")])
    with pytest.raises(PluginError, match=WHO.format("options")) as caught:
        manager.options()
    assert "optimizer_options returned {'summary': 'x'}" in str(caught.value)


def test_options_that_cannot_be_asked_for_are_named() -> None:
    manager = build_manager([reference("asking")])
    with pytest.raises(PluginError, match=WHO.format("asking") + ".*ZeroDivisionError"):
        manager.options()


def test_a_plugin_that_says_nothing_of_itself_has_no_options() -> None:
    manager = build_manager([reference("good")], defaults=[("core", object())])
    assert manager.options() == {"stranger": PluginOptions("")}


def test_a_plugin_whose_import_would_end_the_process_is_left_out() -> None:
    with pytest.warns(OptimizerWarning, match=WHO.format("exit") + ".*SystemExit"):
        manager = build_manager([reference("exit")])
    assert not manager.references


@pytest.mark.parametrize(
    ("kind", "method"), [("class", "optimizer_progress"), ("class_renamed", "keep")]
)
def test_a_class_in_place_of_an_object_is_refused(kind: str, method: str) -> None:
    given = PluginReference("stranger", f"stranger_{kind}:Plugin", "strange-plugins")
    with pytest.raises(PluginError, match=f"is a class, whose {method} needs an object"):
        build_manager([given])


def test_an_answer_that_cannot_be_used_names_who_may_have_given_it() -> None:
    ours = [item for item in installed_plugins() if item.name == "thread-allocation"]
    manager = build_manager([*ours, reference("allocates")])
    error = manager.invalid_return("optimizer_allocate", 3, "an Allocation")
    assert str(error) == (
        "plugin stranger (stranger_allocates, from strange-plugins): "
        "optimizer_allocate returned 3, not an Allocation"
    )


def entry(name: str, value: str, distribution: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, value=value, dist=SimpleNamespace(name=distribution))


def test_two_plugins_of_one_name_are_an_error_that_names_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [entry("gc", "ours.gc", "digitalmodel-optimizer"), entry("gc", "theirs", "strangers")]
    monkeypatch.setattr(managing, "entry_points", lambda group: both)
    with pytest.raises(PluginError, match="two plugins are called gc") as caught:
        installed_plugins()
    assert "(ours.gc, from digitalmodel-optimizer)" in str(caught.value)
    assert "(theirs, from strangers)" in str(caught.value)


def test_one_plugin_that_is_found_twice_is_one_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [entry("x", "x", "d"), entry("x", "x", "d")]
    monkeypatch.setattr(managing, "entry_points", lambda group: twice)
    assert installed_plugins() == [PluginReference("x", "x", "d")]


def test_the_built_in_plugins_come_by_entry_points_and_before_all_others() -> None:
    names = [item.name for item in installed_plugins()]
    assert tuple(names[: len(BUILT_IN)]) == BUILT_IN


def test_later_plugins_are_asked_first_and_the_core_last() -> None:
    asked = []

    class Plugin:
        def __init__(self, name: str, answer: object = None) -> None:
            self.name, self.answer = name, answer

        @hookimpl
        def optimizer_group_files(self, files: object) -> object:
            asked.append(self.name)
            return self.answer

    manager = build_manager([], defaults=[("core", Plugin("core", ["core"]))])
    manager.register(Plugin("first"), "first")
    manager.register(Plugin("second"), "second")
    answer = manager.hook.optimizer_group_files(files=(), settings=None)
    assert (asked, answer) == (["second", "first", "core"], ["core"])


def test_tracing_prints_each_call_with_its_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    manager = build_manager([reference("good")], trace=True)
    manager.hook.optimizer_batch_finished(batch=None, report=None, settings=None)
    assert capsys.readouterr().err == "[optimizer_batch_finished] stranger\n"
