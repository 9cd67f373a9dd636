"""Users' YAML is read and merged as the host does it, and each value's file and line are known."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.config.configuration import given_by, merge, read_configuration
from digitalmodel_optimizer.config.user_yaml import read_yaml
from digitalmodel_optimizer.plugin import OptimizerError

KEYS = st.sampled_from("abc")
TREES = st.recursive(
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(under=st.dictionaries(KEYS, TREES), over=st.dictionaries(KEYS, TREES))
def test_mappings_are_merged_as_the_host_merges_them(
    under: dict[str, Any], over: dict[str, Any]
) -> None:
    from assetutilities.common.update_deep import update_deep_dictionary

    before = copy.deepcopy((under, over))
    merged = merge(under, over)
    assert (under, over) == before
    assert merged == update_deep_dictionary(under, over)


BASE = "a: {x: base, y: base}\nb: base\nc: base\nonly_base: 1\n"
OWN = "basename: orcaflex\na: {x: own}\nb: {}\nc: own\n"
DEFAULT = "c: default\na: {z: default}\n"


@pytest.mark.parametrize("default", [None, DEFAULT])
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["{'a': {'x': 'given'}, 'd': None}"],
        [" {'a': 1} ", "--b", "ignored"],
        ["--a", "x=given", "q.r=1.5", "--workers", "30", "--flag"],
        ["stray", "--a", "{'x': 1}"],
    ],
)
def test_files_and_arguments_are_merged_as_the_host_merges_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default: str | None, arguments: list[str]
) -> None:
    from assetutilities.common.ApplicationManager import ConfigureApplicationInputs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["digitalmodel", "run.yml", *arguments])
    base = Path("src/digitalmodel/tests/test_data/orcaflex.yml")
    base.parent.mkdir(parents=True)
    base.write_text(BASE)
    Path("default.yml").write_text(default or "")
    Path("run.yml").write_text(OWN + ("default_yaml: default.yml\n" if default else ""))
    host = ConfigureApplicationInputs()
    _, given = host.validate_arguments_run_methods(None)
    expected = host.unify_application_and_default_and_custom_yamls(
        {}, "digitalmodel", "orcaflex", given
    )
    found = read_configuration(Path("run.yml"), arguments)
    assert found.basename == "orcaflex"
    assert found.merged.pop("Analysis") == {"CustomInputFile": "run.yml"}
    assert found.merged == expected
    places = {key: found.origin((key,)) for key in ("only_base", "b", "c")}
    assert places["only_base"] == (base.absolute(), 4)
    assert places["b"] == (Path("run.yml"), 3)
    assert places["c"] == ((Path("default.yml"), 1) if default else (Path("run.yml"), 4))
    assert found.origin(("a", "x")) == (
        base.absolute() if default else Path("run.yml"),
        1 + (not default),
    )
    assert found.origin(("d",)) is None


@pytest.mark.parametrize("argument", ["{'a': open('x')}", "{1, 2}", "{'a': 1", "{[]: 1}"])
def test_what_only_the_host_can_read_is_not_guessed(argument: str) -> None:
    if argument.endswith("}"):
        with pytest.raises(OptimizerError, match="argument"):
            given_by([argument])
    else:
        assert given_by([argument]) == {}, "no dict, and no key either: the host ignores it"


def test_a_key_at_the_top_of_both_texts_is_repeated(tmp_path: Path) -> None:
    own, default = tmp_path / "own.yml", tmp_path / "default.yml"
    own.write_text("a: {b: 1}\nc: 2")
    default.write_text("# a comment\na:\n  b: 2\n")
    text = read_yaml(own, default)
    assert [*text.repeated(("a", "b"))] == [(("a",), ((own, 1), (default, 2)), True)]
    assert text.place_of(("a", "b")) == (default, 3)


def test_values_that_a_repeated_key_hides_are_found(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text("a: {b: 1}\na:\n  b: [x]\n  b: null\nc: 0\n")
    text = read_yaml(path)
    assert [*text.all_values(("a", "b"))] == [(1, (path, 1)), (["x"], (path, 3)), (None, (path, 4))]
    assert [*text.all_values(("c",))] == [(0, (path, 5))]
    assert [*text.all_values(("d", "b"))] == []
    assert [item.differs for item in text.repeated(())] == [True, True]


@pytest.mark.parametrize(
    ("values", "differs"),
    [(("{x: 1}", "{x: 1}"), False), (("1", "'1'"), True), (("[a, b]", "[a, c]"), True)],
)
def test_repeated_values_are_compared_as_yaml_has_them(
    tmp_path: Path, values: tuple[str, str], differs: bool
) -> None:
    path = tmp_path / "own.yml"
    path.write_text("".join(f"a: {value}\n" for value in values))
    (found,) = read_yaml(path).repeated(("a",))
    assert found.differs is differs


def test_a_value_that_holds_itself_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text("a: &a [*a]\na: &b [*b]\n")
    (found,) = read_yaml(path).repeated(("a",))
    assert not found.differs


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\n---\nb: 2\n", "x.yml has a second document on line 2"),
        (b"a: 1\nb: [\n", "x.yml is not YAML: line 3, column 1: "),
        (b"a: 1\nb:\n\tc: 1\n", "x.yml is not YAML: line 3, column 1: a tab; YAML takes spaces"),
        (b"a: 2024-99-99\n", "x.yml is not YAML: month must be in 1..12"),
        (b"- 1\n", "x.yml is not a settings file"),
        (b"", "x.yml is not a settings file"),
        (b"a: \xe9\n", "x.yml is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yml").write_bytes(content)
    with pytest.raises(OptimizerError, match=said.replace("[", r"\[")):
        _ = read_yaml(Path("x.yml")).content


def test_the_host_stops_at_a_second_document_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assetutilities.common.ApplicationManager import ConfigureApplicationInputs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["digitalmodel", "run.yml"])
    Path("src/digitalmodel/tests/test_data").mkdir(parents=True)
    Path("src/digitalmodel/tests/test_data/orcaflex.yml").write_text("a: 1\n")
    Path("run.yml").write_text("basename: orcaflex\n---\na: 2\n")
    with pytest.raises(SystemExit):
        ConfigureApplicationInputs().unify_application_and_default_and_custom_yamls(
            {}, "digitalmodel", "orcaflex", {}
        )
