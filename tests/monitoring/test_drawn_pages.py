"""Pages: what they show, that they need nothing else, and that no text is taken for HTML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as Tree
from pathlib import Path
from typing import Any

import pytest
from facts import BEGAN_S, make_facts

from digitalmodel_optimizer.history.store import History
from digitalmodel_optimizer.pages.history_page import history_page, trend
from digitalmodel_optimizer.pages.parts import write_page
from digitalmodel_optimizer.pages.run_page import outliers, run_page
from digitalmodel_optimizer.pages.svg import Plot, ticks
from digitalmodel_optimizer.plugin import OptimizerError


def drawings(page: str) -> list[Tree.Element]:
    return [Tree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def marks(page: str, kind: str) -> list[Tree.Element]:
    return [
        mark for drawing in drawings(page) for mark in drawing.iter() if mark.get("class") == kind
    ]


def test_a_page_needs_no_network_and_no_script() -> None:
    page = run_page(make_facts(30))
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?://""", page)
    assert page.rstrip().endswith("</html>")


def test_the_page_tells_the_story_of_the_run() -> None:
    facts = make_facts(30, failed=2, warnings=("a column is doubtful",), workers=4)
    page = run_page(facts)
    text = re.sub(r"<[^>]+>", " ", page)
    assert "2 of 30 files failed" in text
    assert "Limited by processor: 4.0 of 4 cores busy" in text
    assert "2 files failed" in text
    assert "sim/lc_0000.sim is &lt;no&gt; simulation" in text
    assert "a column is doubtful" in text
    assert "backend loky" in text
    for heading in ("Time by stage", "Workers", "Memory", "Time against size", "Decisions"):
        assert heading in text


def test_each_file_is_drawn_on_its_worker_and_as_a_point() -> None:
    page = run_page(make_facts(30))
    assert len(marks(page, "done")) == 30
    loads = marks(page, "load")
    assert len(loads) == 30 + 1, "one for each file, one in the sum by stage"
    for drawing in drawings(page):
        _, _, width, height = map(float, drawing.get("viewBox", "").split())
        for mark in drawing.iter():
            if mark.tag == "rect":
                x, y, w, h = (
                    float(mark.get(name, "nan")) for name in ("x", "y", "width", "height")
                )
                assert x >= 0
                assert y >= 0
                assert x + w <= width + 1
                assert y + h <= height + 1


def test_a_file_that_took_far_longer_than_its_like_is_named() -> None:
    facts = make_facts(60, slow={7: 9.0, 33: 8.0})
    worked = [item for item in facts["records"] if item["total_s"]]
    assert outliers(worked) == {"sim/lc_0007.sim", "sim/lc_0033.sim"}
    page = run_page(facts)
    assert len(marks(page, "odd")) == 2
    assert ">lc_0007</text>" in page
    assert outliers(make_facts(60)["records"]) == set()


@pytest.mark.parametrize("files", [0, 1, 2])
def test_a_batch_of_hardly_any_files_has_a_page(files: int) -> None:
    assert "<h1>dm_fsts.yml</h1>" in run_page(make_facts(files))


def test_a_page_of_thousands_of_files_stays_small() -> None:
    page = run_page(make_facts(5000, workers=16, failed=300))
    assert len(page) < 2_000_000
    assert "and 100 more" in page
    assert "The slowest files" in page


def test_names_and_messages_are_text_and_nothing_else() -> None:
    facts = make_facts(3, failed=1, source="/study/<b>&.yml")
    facts["decisions"].append("<img src=x onerror=alert(1)>")
    facts["records"][1]["file"] = 'sim/"><script>.sim'
    page = run_page(facts)
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;b&gt;&amp;.yml" in page


def test_a_run_is_shown_among_those_of_its_batch(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite3")
    for n in range(8):
        history.add(make_facts(6, began_s=BEGAN_S + n, file_s=0.5 + 0.2 * (n > 4)))
    runs = history.runs()
    page = run_page({**make_facts(6), "run": 8}, runs)
    assert len(marks(page, "this")) == 1
    assert len(marks(page, "earlier")) == 7
    over = history_page("/study/dm_fsts.yml", runs)
    assert len(marks(over, "done")) == 24
    assert re.search(r"the latest three runs read .*, -2\d% against", trend(runs))
    assert "too few for a trend" in trend(runs[:4])


def test_ticks_are_round_and_cover_the_axis() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0, 0.83) == [0, 0.2, 0.4, 0.6, 0.8]
    assert ticks(0, 0) == [0]


@pytest.mark.parametrize("value", [0.0, 1e-9, 3e8])
def test_a_drawing_of_any_size_is_sound(value: float) -> None:
    plot = Plot("x", "y", value, value)
    plot.line([(0, 0), (value, value)], "memory")
    Tree.fromstring(plot.drawn("<&>"))


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptimizerError, match="cannot be written"):
        write_page("x", tmp_path / "nowhere" / "page.html")


def test_an_earlier_page_is_replaced_as_a_whole(tmp_path: Path) -> None:
    page: Any = tmp_path / "page.html"
    page.write_text("older")
    write_page("new", page)
    assert page.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["page.html"]
