"""``--enable-plugins``: the block goes in at the right place, in the file's own style."""

from __future__ import annotations

import pytest
from changes import check_noop, check_refused, check_transformed, choice, loaded, notes

ENABLE = choice("enable-plugins")
META = "meta:\n  library: digitalmodel\n  basename: orcaflex_post_process\n"
FLOW = "meta: {library: digitalmodel, basename: orcaflex_post_process}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (  # no block at all: after what says whose file it is, above the next key's comments
            FLOW + "\n# files\nfile_management:\n    flag: True\n",
            FLOW + "\norcaflex:\n    parallel:\n        enabled: True\n"
            "# files\nfile_management:\n    flag: True\n",
        ),
        (  # as the first entry of a block that is there, in its indentation
            META + "orcaflex:\n   # what to read\n   postprocess:\n      summary: {flag: True}\n",
            META + "orcaflex:\n   parallel:\n      enabled: True\n"
            "   # what to read\n   postprocess:\n      summary: {flag: True}\n",
        ),
        (
            META + "orcaflex:\n  parallel:\n    threads: 8\n",
            META + "orcaflex:\n  parallel:\n    enabled: True\n    threads: 8\n",
        ),
        (
            META + "orcaflex: {postprocess: {summary: {flag: True}}}\n",
            META + "orcaflex: {parallel: {enabled: True}, postprocess: {summary: {flag: True}}}\n",
        ),
        (META + "orcaflex: {parallel: {}}\n", META + "orcaflex: {parallel: {enabled: True}}\n"),
        (
            "{library: digitalmodel, basename: orcaflex_post_process}",
            "{orcaflex: {parallel: {enabled: True}}, "
            "library: digitalmodel, basename: orcaflex_post_process}",
        ),
        (  # where keys are in double quotes, as JSON has it
            '{\n  "basename": "orcaflex_post_process",\n  "orcaflex": {"parallel": {"x": 1}}\n}\n',
            '{\n  "basename": "orcaflex_post_process",\n'
            '  "orcaflex": {"parallel": {"enabled": true, "x": 1}}\n}\n',
        ),
        (
            '{\n  "basename": "orcaflex_post_process"\n}',
            '{"orcaflex": {"parallel": {"enabled": true}},\n'
            '  "basename": "orcaflex_post_process"\n}',
        ),
        (  # an anchor that nobody uses
            META + "orcaflex: &o\n  x: 1\n",
            META + "orcaflex: &o\n  parallel:\n    enabled: True\n  x: 1\n",
        ),
        (  # identity last: above the first key, below the head of the file
            "# head\nfile_management: {flag: True}\n" + META,
            "# head\norcaflex:\n  parallel:\n    enabled: True\n"
            "file_management: {flag: True}\n" + META,
        ),
        (  # another basename of ours counts with a post-process block
            "basename: orcaflex\norcaflex:\n  postprocess: {summary: {flag: True}}\n",
            "basename: orcaflex\norcaflex:\n  parallel:\n    enabled: True\n"
            "  postprocess: {summary: {flag: True}}\n",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_block_goes_in_in_the_files_own_style(before: str, after: str, line_end: str) -> None:
    before, after = (text.replace("\n", line_end) for text in (before, after))
    check_transformed(before, after, chosen=ENABLE)
    (document,) = loaded(after.encode())
    assert document["orcaflex"]["parallel"]["enabled"] is True


@pytest.mark.parametrize(
    "text",
    [
        META + "orcaflex:\n  parallel:\n    enabled: True\n",
        "library: digitalmodel\nbasename: aqwa\n",
        "basename: orcaflex\norcaflex: {analysis: {static: True}}\n",
        "basename: other\n",
    ],
)
def test_files_that_have_it_or_are_no_post_processing_are_left_alone(text: str) -> None:
    assert check_noop(text, chosen=ENABLE) == []


@pytest.mark.parametrize("value", ["False", "'no'", "0", "", "~"])
def test_switched_off_stays_off_and_is_said(value: str) -> None:
    text = META + f"orcaflex: {{parallel: {{enabled: {value}}}}}\n"
    for more in ("", "---\nfile_management: {flag: True}\n"):
        assert notes(check_noop(text + more, chosen=ENABLE)) == ["enable-plugins"]


def test_of_documents_that_the_host_lays_over_each_other_one_gets_the_block() -> None:
    block = "  parallel:\n    enabled: True\n"
    for more in ("---\nx: 1\n", "---\n# nothing\n"):
        before = FLOW + "a: 1\n" + more
        after = FLOW + f"orcaflex:\n{block}a: 1\n" + more
        check_transformed(before, after, chosen=ENABLE)
    before = META + "---\norcaflex:\n  postprocess: {}\n"
    check_transformed(before, before.replace("  post", f"{block}  post"), chosen=ENABLE)
    assert check_noop(META + "---\norcaflex: {parallel: {enabled: True}}\n", chosen=ENABLE) == []


def test_an_ignore_comment_at_the_key_keeps_the_block_out() -> None:
    for key in (
        "# digitalmodel-optimizer: ignore[enable-plugins] no\norcaflex:\n",
        "orcaflex:  # digitalmodel-optimizer: ignore\n",
    ):
        assert check_noop(META + key + "  postprocess: {}\n", chosen=ENABLE) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (META + "orcaflex:\nx: 1\n", "holds no block"),
        (META + "orcaflex: [1]\n", "holds no block"),
        (META + "o: &o {x: 1}\norcaflex: *o\n", "is an alias"),
        (META + "orcaflex: &o {x: 1}\nb: *o\n", "may be shared"),
        (META + "d: &d {parallel: {x: 1}}\norcaflex: {<<: *d}\nb: {<<: *d}\n", "shared by a merge"),
        (META + "orcaflex:\n  ? parallel\n  : x: 1\n", "no line of its own"),
        (META + "a: {{ x }}\n", "rendered first"),
    ],
)
def test_where_there_is_no_safe_place_it_is_refused(text: str, reason: str) -> None:
    check_refused(text, reason, chosen=ENABLE)


def test_it_goes_with_the_other_rules() -> None:
    both = choice()
    both = type(both)((*both.rules, "enable-plugins"))
    before = META + "orcaflex:\n  parallel:\n    threads: 30\n"
    after = META + "orcaflex:\n  parallel:\n    enabled: True\n    threads: 15\n"
    check_transformed(before, after, chosen=both)
