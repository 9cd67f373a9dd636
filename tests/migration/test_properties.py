"""Over generated YAML: only the planted places differ, bytes outside the spans are equal."""

from __future__ import annotations

import codecs
import os

import yaml
from changes import choice, differences, loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from digitalmodel_optimizer_migration import plan_bytes, splice

EXAMPLES = int(os.environ.get("OPTIMIZER_TEST_EXAMPLES", "25")) * 6
KEYS = (
    (("orcaflex", "parallel", "threads"), 15),
    (("parallel_processing", "max_workers"), "auto"),
    (("parallel", "num_threads"), 15),
)
SPELLED = ("30", "+30", "036", "0x1e", "0b11110", "!!int 30")
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-999, 999),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=20),
    st.sampled_from(["30", "threads: 30", "{{ x }}", "# no", "a\u2028b", "\x85", "x" * 200]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
COMMENTS = st.sampled_from(["", "  # 30 workers", "\t# tab", " #", "   "])


@st.composite
def documents(draw: st.DrawFn) -> tuple[bytes, set[tuple[str, ...]]]:
    """The bytes of a file of ours, and the paths at which the old default stands in it."""
    blocks = [
        yaml.safe_dump(
            {
                draw(NAMES.filter(lambda name: name not in ("orcaflex", "meta", "parallel"))): [
                    value
                ]
            },
            allow_unicode=draw(st.booleans()),
            default_flow_style=draw(st.sampled_from([None, False])),
            indent=draw(st.integers(2, 6)),
            width=draw(st.sampled_from([20, 80, 10_000])),
        )
        for value in draw(st.lists(VALUES, max_size=4))
    ]
    planted = set()
    for path, _ in KEYS:
        if draw(st.booleans()):
            old = draw(st.booleans())
            plain = draw(st.booleans())
            spelled = (
                draw(st.sampled_from(SPELLED)) if old else draw(st.sampled_from(["8", "15", ""]))
            )
            if spelled.startswith("!!") and path[0] == "parallel_processing":
                spelled = "30"
            blocks.append(draw(_block(path, spelled, plain)))
            planted |= {path} if old else set()
    blocks = draw(st.permutations(blocks))
    head = draw(st.sampled_from(["", "# head\n\n", "%YAML 1.1\n---\n", "---\n"]))
    text = head + "meta: {library: digitalmodel, basename: orcaflex}\n" + "".join(blocks)
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))
    text = text.rstrip("\r\n") if draw(st.booleans()) else text
    encoding, mark = draw(
        st.sampled_from(
            [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE)]
        )
    )
    return mark + text.encode(encoding), planted


@st.composite
def _block(draw: st.DrawFn, path: tuple[str, ...], spelled: str, plain: bool) -> str:
    quote = draw(st.sampled_from(["", "'", '"']))
    names = [f"{quote}{name}{quote}" for name in path]
    if not plain:
        inner = f"{names[-1]}: {spelled}"
        more = draw(st.sampled_from(["", ", enabled: True", " , a: [1, '30']"]))
        for name in reversed(names[:-1]):
            inner = f"{name}: {{{inner}{more}}}"
            more = ""
        return inner + draw(COMMENTS).replace("\t", " ") + "\n"
    step = " " * draw(st.integers(1, 5))
    lines = [f"{step * depth}{name}:" for depth, name in enumerate(names)]
    gap = draw(st.sampled_from([" ", "   ", f" # c\n{step * (len(path) + 1)}"]))
    if not spelled:
        gap = ""
    lines[-1] += gap + spelled + draw(COMMENTS).replace("\t", " ")
    if draw(st.booleans()):
        lines.insert(-1, f"{step * (len(path) - 1)}enabled: True")
    return "\n".join(lines) + "\n"


@given(documents())
@settings(max_examples=EXAMPLES)
def test_only_the_planted_places_differ_and_a_second_run_changes_nothing(
    document: tuple[bytes, set[tuple[str, ...]]],
) -> None:
    raw, planted = document
    before = loaded(raw)
    wanted = choice()
    findings, edits = plan_bytes(raw, "yaml", wanted)
    assert not [finding for finding in findings if finding.level == "refused"]
    after = splice(raw, edits)

    new = {path: value for path, value in KEYS if path in planted}
    expected = {(0, *path): (30, value) for path, value in new.items()}
    assert differences(before, loaded(after)) == expected

    at, shift = 0, 0
    for edit in sorted(edits, key=lambda item: item.start):
        assert raw[at : edit.start] == after[at + shift : edit.start + shift]
        at = edit.end
        shift += len(edit.new) - len(edit.old)
    assert raw[at:] == after[at + shift :]

    assert plan_bytes(after, "yaml", wanted)[1] == []
