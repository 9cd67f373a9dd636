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


def test_switched_off_stays_off() -> None:
    text = META + "orcaflex: {parallel: {enabled: False}}\n"
    assert notes(check_noop(text, chosen=ENABLE)) == ["enable-plugins"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (META + "orcaflex:\nx: 1\n", "holds no block"),
        (META + "orcaflex: [1]\n", "holds no block"),
        (META + "o: &o {x: 1}\norcaflex: *o\n", "is an alias"),
        (META + "orcaflex: &o {x: 1}\nb: *o\n", "may be shared"),
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
