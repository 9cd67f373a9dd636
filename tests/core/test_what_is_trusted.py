"""Names and texts of others are data: they run nothing, and lead nowhere out of the results."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.config.configuration import given_by
from digitalmodel_optimizer.config.settings import read_settings
from digitalmodel_optimizer.config.user_yaml import read_yaml
from digitalmodel_optimizer.plugin import OptimizerError, SettingsError
from digitalmodel_optimizer.plugin.manager import BUILT_IN, build_manager, installed_plugins
from digitalmodel_optimizer.tables.staged import StagedTables


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that can be imported, and leaves a file when it is."""
    left = tmp_path / "imported"
    (tmp_path / "spy_module.py").write_text(f"open({str(left)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield left
    sys.modules.pop("spy_module", None)


def test_the_spy_is_seen(spy: Path) -> None:
    import spy_module  # noqa: F401

    assert spy.exists()


TAGS = (
    "!!python/object/apply:spy_module.run []",
    "!!python/name:spy_module.run",
    "!!python/module:spy_module",
    "!!python/object/new:spy_module.run []",
)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_yaml_makes_nothing(spy: Path, tmp_path: Path, tag: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(f"a: {tag}\n")
    with pytest.raises(OptimizerError):
        _ = read_yaml(path).content
    assert not spy.exists()


@pytest.mark.parametrize(
    "argument",
    [
        "{'a': __import__('spy_module')}",
        "{'a': [__import__('spy_module') for _ in 'a']}",
        "{**__import__('spy_module').x}",
    ],
)
def test_an_argument_is_a_literal_or_refused(spy: Path, argument: str) -> None:
    with pytest.raises(OptimizerError):
        given_by([argument])
    assert not spy.exists()


@pytest.mark.parametrize("name", ["spy_module", "spy_module:run", "spy_module.run"])
def test_no_name_in_yaml_is_imported(spy: Path, name: str) -> None:
    """As a plugin, as a backend, as the value of any option of a built-in plugin that is a text."""
    references = [item for item in installed_plugins() if item.name in BUILT_IN]
    manager = build_manager(references, frozenset())
    options = manager.options()
    blocks: list[dict[str, Any]] = [{name: {}}, {name: {"enabled": True}}]
    blocks += [
        {plugin: {option.name: name}}
        for plugin, declared in options.items()
        for option in declared.options
        if option.kind is str
    ]
    assert len(blocks) > 4
    for block in blocks:
        cfg = {"orcaflex": {"parallel": {"enabled": True, "plugins": block}}}
        try:
            settings = read_settings(cfg, options)
            manager.ask("optimizer_configure", settings=settings)
        except SettingsError:
            continue
    assert not spy.exists()


def test_nothing_in_the_source_evaluates_a_text() -> None:
    """``exec`` and ``eval`` by name, and readers of YAML that make objects."""
    packages = ("", "_plugins", "_migration")
    found = [importlib.import_module(f"digitalmodel_optimizer{name}") for name in packages]
    sources = [path for package in found for path in Path(package.__file__).parent.rglob("*.py")]
    assert len(sources) > 100
    called = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id in ("eval", "exec", "compile"):
                called.add((path.name, node.id))
            if isinstance(node, ast.Attribute) and node.attr in ("UnsafeLoader", "FullLoader"):
                called.add((path.name, node.attr))
    assert called == {("lean_imports.py", "compile"), ("lean_imports.py", "exec")}  # the host's own


PARTS = st.sampled_from(["..", ".", "a", "results", "C:", "~", "$HOME", "nul", " ", "x.csv"])
NAMES = st.lists(PARTS, min_size=1, max_size=6).flatmap(
    lambda parts: st.sampled_from(["/", "\\", "//"]).map(lambda joint: joint.join(parts))
)


@given(name=NAMES, before=st.sampled_from(["", "/", "batch_", "../"]))
def test_no_name_of_a_table_leads_out_of_the_results(name: str, before: str) -> None:
    """Composed by the host from labels and file names, as it does it: by joining texts."""
    import os

    staging, results = os.path.abspath("staging"), os.path.abspath("results")
    tables = StagedTables(staging, results)
    composed = os.path.join(staging, f"{before}{name}_label.csv")
    try:
        held = tables.holds(composed)
    except OSError:
        return  # refused
    if held:
        final = os.path.normpath(tables.final(composed))
        assert final.startswith(os.path.join(results, ""))
        assert os.path.normpath(tables.staged(composed)).startswith(os.path.join(staging, ""))
