"""Every corner of YAML: what is rewritten to the byte, what is reported, what is refused."""

from __future__ import annotations

import codecs
import time

import pytest
import yaml
from changes import (
    OURS,
    changes,
    check_noop,
    check_refused,
    check_transformed,
    choice,
    differences,
    loaded,
    notes,
)

from digitalmodel_optimizer_migration import plan_bytes, splice, yaml_paths

ODD_TAGS = [("int", ""), ("int", "x"), ("float", ""), ("bool", "x"), ("timestamp", "x")]
BLOCK = "orcaflex:\n  parallel:\n    threads: "


@pytest.mark.parametrize(
    "spelled",
    [
        *("30", "+30", "036", "0x1e", "0x1E", "0b11110", "3_0"),
        *("!!int 30", '!!int "30"', "&n 30", "&n !!int 30"),
    ],
)
def test_whatever_reads_as_the_whole_number_30_is_the_old_default(spelled: str) -> None:
    assert yaml.safe_load(spelled) == 30
    number = spelled.rpartition(" ")[2].strip('"')
    before = OURS + BLOCK + spelled + "\n"
    check_transformed(before, OURS + BLOCK + spelled.replace(number, "15") + "\n")


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("0o36", "text"),  # octal in YAML 1.2 only
        ("30.0", "no whole number"),
        ("3e1", "text"),
        ("3.0e+1", "no whole number"),
        ("0:30", "text"),
        ("'30'", "write 15 without quotes"),
        ('"30"', "write 15 without quotes"),
        ("!!str 30", "write 15 without quotes"),
        ("|-\n      30", "write 15 without quotes"),
        (">\n      30", "write 15 without quotes"),
        ("thirty", "text"),
        ("' 30'", "text"),
        ("'\u202830'", "text"),
        ("on", "true or false"),
        *((f"!!{tag} '{text}'", "unreadable") for tag, text in ODD_TAGS),
        ("{{ threads }}", "has to be rendered first"),
        ("[30]", "holds a sequence"),
        ("{a: 30}", "holds a mapping"),
        ("30 # 15", ""),
    ],
)
def test_what_only_looks_like_30_is_reported_with_what_its_reader_makes_of_it(
    spelled: str, said: str
) -> None:
    text = OURS + BLOCK + spelled + "\n"
    if not said:
        check_transformed(text, text.replace("30 #", "15 #"))
        return
    findings = check_noop(text)
    assert notes(findings) == ["orcaflex-parallel-threads"]
    assert said in findings[0].message


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quoted_number_keeps_its_quotes_where_its_readers_take_text(quote: str) -> None:
    before = OURS + f"parallel_processing:\n  max_workers: {quote}30{quote} # c\n"
    check_transformed(before, before.replace("30", "auto"))
    before = OURS + f"parallel:\n  num_threads: {quote}30{quote}\n"
    check_transformed(before, before.replace("30", "15"))


def test_a_quoted_number_that_is_not_written_as_it_reads_is_refused() -> None:
    text = OURS + 'parallel: {num_threads: "\\x330"}\n'
    check_refused(text, "not written as it reads")
    text = OURS + "parallel_processing:\n  max_workers: !!int 30\n"
    check_refused(text, "tagged as a whole number")
    check_refused(OURS + "parallel:\n  num_threads: |-\n    30\n", "block scalar")


@pytest.mark.parametrize(
    "text",
    [
        "orcaflex: {parallel: {threads: 30}}\n",
        "orcaflex: {parallel: {enabled: True, threads: 30, use_processes: True}}\n",
        "orcaflex: {parallel: {threads:   30   ,x: 1}}\n",
        '{"orcaflex": {"parallel": {"threads":30}}}',
        "orcaflex:\n    parallel: {\n        threads: 30,\n    }\n",
        "orcaflex:\n  parallel:\n    ? threads\n    : 30\n",
        "'orcaflex':\n  \"parallel\":\n    'threads'   :   30\n",
        "orcaflex:\n  parallel:\n    threads: # how many\n      # of them\n      30 # here\n",
        "orcaflex:\n  parallel:\n    threads: 30",
        "orcaflex:\n  parallel:\n    threads: 30   \n\n\n   \n",
        "orcaflex:\n  parallel:\n    threads: 30\t\t# tabs\t\n",
        "orcaflex:\n\n\n  parallel:\n\n    threads: 30\n...\n",
        "--- !!map\norcaflex:\n  parallel:\n    threads: 30\n--- # next\na: 1\n",
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_block_and_flow_styles_keep_every_other_byte(text: str, line_end: str) -> None:
    whole = text if text.startswith(("---", "{")) else OURS + text
    if text.startswith("{"):
        whole = text[:-1] + ', "library": "digitalmodel"}'
    elif text.startswith("---"):
        whole = text.replace("orcaflex:\n", "library: digitalmodel\norcaflex:\n")
    before = whole.replace("\n", line_end)
    check_transformed(before, before.replace("30", "15"))


def test_tabs_where_pyyaml_takes_them() -> None:
    before = OURS + "a:\t1\nb: [1,\t2]\norcaflex:\n  parallel:\n    threads:\t30\t# c\n"
    assert loaded(before.encode())
    check_transformed(before, before.replace("\t30", "\t15"))


def test_duplicate_keys_elsewhere_are_kept() -> None:
    before = (
        OURS + "a: 1\na: 2\nb: {c: 1, c: 2}\norcaflex:\n  x: 1\n  x: 2\n  parallel: {threads: 30}\n"
    )
    check_transformed(before, before.replace("30", "15"))


def test_of_duplicate_keys_on_the_path_the_last_one_counts() -> None:
    twice = OURS + BLOCK + "30\n    threads: 30\n"
    check_transformed(twice, twice.replace("30", "15"))
    blocks = OURS + "orcaflex: {parallel: {threads: 30}}\norcaflex: {parallel: {threads: 0x1e}}\n"
    check_transformed(blocks, blocks.replace("30", "15").replace("0x1e", "15"))
    first = OURS + BLOCK + "30\n    threads: 20\n"
    findings = check_noop(first)
    assert "the same key stands again in line 5, and that one counts" in findings[0].message
    last = OURS + BLOCK + "20\n    threads: 30\n"
    assert notes(check_transformed(last, last.replace("30", "15"))) == ["orcaflex-parallel-threads"]


def test_an_aliased_value_is_edited_once() -> None:
    text = OURS + "orcaflex: {parallel: {threads: &n 30}}\nparallel: {num_threads: *n}\n"
    assert changes(check_transformed(text, text.replace("30", "15")))
    text = OURS + "orcaflex: &o\n  parallel: {threads: 30}\nmore: {orcaflex: *o}\n"
    check_refused(text, "an alias shares this value with more.orcaflex.parallel.threads")


def test_an_anchor_that_only_names_a_block_is_edited_where_it_is_written() -> None:
    text = OURS + "names:\n  par: &p\n    threads: 30\norcaflex:\n  parallel: *p\n"
    check_transformed(text, text.replace("30", "15"))
    shared = text + "web: *p\n"
    found = check_refused(shared, "an alias shares this value with web.threads")
    assert (found.line, found.column) == (4, 14)


def test_one_value_for_two_settings_that_become_different_is_refused() -> None:
    text = OURS + BLOCK + "&n 30\nparallel_processing: {max_workers: *n}\n"
    check_refused(text, "parallel_processing.max_workers, which would change too")
    same = choice(assign=("parallel_processing.max_workers=15",))
    check_transformed(text, text.replace("30", "15"), chosen=same)


def test_merge_keys_are_followed() -> None:
    text = OURS + "d: &d {threads: 30}\norcaflex:\n  parallel:\n    <<: *d\n    enabled: True\n"
    after = text.replace("30", "15")
    check_transformed(text, after)
    assert loaded(after.encode())[0]["orcaflex"]["parallel"]["threads"] == 15
    own = OURS + "d: &d {threads: 30}\norcaflex:\n  parallel:\n    <<: *d\n    threads: 8\n"
    assert "somebody chose it" in check_noop(own)[0].message
    several = (
        OURS + "a: &a {threads: 30}\nb: &b {threads: 8}\norcaflex:\n  parallel:\n    <<: [*a, *b]\n"
    )
    check_transformed(several, several.replace("30", "15"))
    shared = text + "server: {<<: *d}\n"
    check_refused(shared, "server.threads")


def test_aliases_that_lead_in_circles_end() -> None:
    text = OURS + "orcaflex: &o\n  parallel: &p {threads: 30, up: *o, again: *p}\n"
    findings, edits = plan_bytes(text.encode(), "yaml", choice())
    assert edits == []
    assert "..." in findings[0].message


def test_too_many_ways_are_refused_and_not_walked() -> None:
    lines = ["a0: &a0 {threads: 30}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = OURS + "\n".join(lines) + "\norcaflex: {parallel: *a0}\n"
    started = time.perf_counter()
    check_refused(text, "too many aliases")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("merged", ["[*a{0}, *a{0}]", "*a{0}"])
def test_merges_that_multiply_or_go_deep_end(merged: str) -> None:
    lines = ["a0: &a0 {threads: 30}"]
    lines += [f"a{n}: &a{n} {{<<: {merged.format(n - 1)}}}" for n in range(1, 1500)]
    text = OURS + "\n".join(lines) + "\norcaflex: {parallel: {<<: *a1499}}\n"
    check_refused(text, "too many aliases")


def test_of_several_merge_keys_the_last_counts_and_of_several_mappings_each() -> None:
    both = OURS + "a: &a {threads: 30}\nb: &b {threads: 8}\nc: &c {x: 1}\norcaflex:\n  parallel: "
    for merges, numbers in (
        ("{<<: *a, <<: *b}", {8}),
        ("{<<: *b, <<: *a, <<: *c}", {30}),
        ("{<<: [*c, *a]}", {30}),
        ("{<<: [*a, *b]}", {30, 8}),  # the first for PyYAML up to 6.0.3, the last from 6.0.4 on
        ("{<<: [*b, *a]}", {30, 8}),
    ):
        text = both + merges + "\n"
        (document,) = loaded(text.encode())
        assert document["orcaflex"]["parallel"]["threads"] in numbers
        findings, _ = plan_bytes(text.encode(), "yaml", choice())
        assert bool(changes(findings)) is (30 in numbers)


def test_many_findings_take_linear_time() -> None:
    text = OURS + "orcaflex:\n  parallel:\n" + "    threads: 30\n" * 5000
    started = time.perf_counter()
    check_transformed(text, text.replace("30", "15"))
    assert time.perf_counter() - started < 30  # minutes, where each is looked for from the start


def test_so_they_do_where_aliases_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    edges = yaml_paths._edges
    monkeypatch.setattr(yaml_paths, "_edges", lambda root: asked.append(root) or edges(root))
    text = OURS + "a: &a 1\nb: *a\n" + "orcaflex: {parallel: {threads: 30}}\n" * 20
    check_transformed(text, text.replace("30", "15"))
    assert len(asked) == 1  # the whole document is walked once, not once a value


def test_documents_are_judged_one_by_one_and_go_on_with_the_identity_before() -> None:
    text = (
        "library: digitalmodel\n---\norcaflex: {parallel: {threads: 30}}\n"
        "---\nlibrary: snakemake\norcaflex: {parallel: {threads: 30}}\n"
    )
    after = text.replace("30", "15", 1)
    check_transformed(text, after)


@pytest.mark.parametrize(
    "template",
    [
        "name: {{ name }}\n",
        "name: [{{ a }}, {{ b }}]\nlist: {x: {{ c }}}\n",
    ],
)
def test_a_template_is_refused_where_it_stands(template: str) -> None:
    text = OURS + template + "orcaflex: {parallel: {threads: 30}}\n"
    found = check_refused(text, "has to be rendered first")
    assert found.line == 2
    assert text.splitlines()[1][found.column - 1 :].startswith("{{")


def test_a_template_within_quotes_is_text() -> None:
    text = OURS + "name: '{{ name }}'\norcaflex: {parallel: {threads: 30}} # {% x %}\n"
    check_transformed(text, text.replace("30", "15"))


def test_a_template_that_is_no_yaml_is_refused_only_if_it_is_ours() -> None:
    text = "{% if x %}\nlibrary: digitalmodel\nthreads: 30\n{% endif %}\n"
    check_refused(text, "not YAML that PyYAML can read")
    assert check_noop("{% if orcaflex %}\nthreads: 30\n{% endif %}\n") == []


def test_a_tag_that_the_host_does_not_know_is_refused() -> None:
    text = OURS + "x: !include other.yml\norcaflex: {parallel: {threads: 30}}\n"
    assert check_refused(text, "!include").line == 2
    assert check_noop(OURS + "x: !include other.yml\n") == []


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_encodings_marks_and_characters_of_any_width(encoding: str, mark: bytes) -> None:
    text = (
        "# Überschrift \u2028 𝛂𝛃 \x85 ende\n" + OURS + "name: 'ä\u2028ö\u2029\x85 𝛂'\n"
        "list: [ü, '🚢', \"\\u2028\"]\norcaflex:\n  parallel:\n    threads: 30 # ÿ 𝛂\n"
    )
    text = text.replace("\u2028 𝛂𝛃 \x85 ende", "𝛂𝛃 ende")  # they would end the comment
    before, after = (mark + item.encode(encoding) for item in (text, text.replace("30", "15")))
    check_transformed(before, after)
    changed = differences(loaded(before), loaded(after))
    assert changed == {(0, "orcaflex", "parallel", "threads"): (30, 15)}


def test_line_separators_in_plain_text_and_comments_are_read_as_the_host_reads_them() -> None:
    before = OURS + "a: b\u2028c: d\x85orcaflex: {parallel: {threads: 30}}\u2029e: f\n"
    assert loaded(before.encode())[0]["c"] == "d"
    check_transformed(before, before.replace("30", "15"))


def test_invalid_bytes_are_refused_with_their_place() -> None:
    raw = OURS.encode() + b"orcaflex:\n  x: \xff\n  parallel: {threads: 30}\n"
    found = check_refused(raw, "not valid UTF-8 at byte")
    assert (found.line, found.column) == (3, 6)
    latin = (OURS + "note: Müller\nthreads: 30\n").encode("latin-1")
    assert check_refused(latin, "save the file as UTF-8").line == 2
    odd = codecs.BOM_UTF16_LE + (OURS + BLOCK + "30").encode("utf-16-le") + b"x"
    check_refused(odd, "not valid UTF-16-LE")
    check_refused(codecs.BOM_UTF8 * 2 + (OURS + BLOCK + "30").encode(), "two byte order marks")


def test_what_pyyaml_cannot_read_is_refused_with_line_and_column() -> None:
    found = check_refused(OURS + "orcaflex:\n\tparallel: {threads: 30}\n", "cannot start any token")
    assert (found.line, found.column) == (3, 1)
    check_refused(OURS + "a: *nowhere\nthreads: 30\n", "undefined alias")
    check_refused(OURS + "a: [1\nthreads: 30\n", "not YAML that PyYAML can read")
    check_refused(OURS + "a: \x07\nthreads: 30\n", "not YAML that PyYAML can read")


def test_what_only_pyyamls_own_parser_reads_is_not_refused() -> None:
    """PyYAML takes a tab before a comment's line where its C parser does not, and the reverse."""
    texts = [
        "a: {x: 1,\n\ty: 2}\n",
        "a: [\n\t1]\n",
        "a: 'x\n\ty'\n",
        "a: 1\n\t\nb: 2\n",
        "a: 1\n\t# c\nb: 2\n",
        "? |\n  key\n: - x\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: b: c\n",
        "a: -\n",
        "a:\n- b\n -c\n",
        "a: {x:1, y: 2}\n",
        "a: {x: 1, y: http://a:b}\n",
        "a: @b\n",
        "a: %b\n",
        "a: !<tag:yaml.org,2002:str> b\n",
        "a: ''''\n",
        'a: "\\/"\n',
    ]
    for text in texts:
        whole = text + OURS + "orcaflex: {parallel: {threads: 30}}\n"
        try:
            loaded(whole.encode())
        except yaml.YAMLError:
            continue
        check_transformed(whole, whole.replace("{threads: 30}", "{threads: 15}"))


def test_very_long_lines() -> None:
    numbers = ", ".join(str(number) for number in range(100_000))
    before = (
        OURS + f"a: [{numbers}]\norcaflex: {{x: '{'y' * 500_000}', parallel: {{threads: 30}}}}\n"
    )
    check_transformed(before, before.replace("{threads: 30}", "{threads: 15}"))


@pytest.mark.slow
def test_a_file_of_ten_megabytes() -> None:
    groups = "".join(
        f"    - {{ObjectName: Mooring{number}, Variable: Effective Tension, Label: t_{number}}}\n"
        for number in range(140_000)
    )
    before = OURS + "summary_settings:\n  groups:\n" + groups + BLOCK + "30\n"
    raw = before.encode()
    assert len(raw) > 10_000_000
    findings, edits = plan_bytes(raw, "yaml", choice())
    assert changes(findings) == ["orcaflex-parallel-threads"]
    assert splice(raw, edits) == before.replace("threads: 30\n", "threads: 15\n").encode()


@pytest.mark.parametrize("key", ["a", "orcaflex"])
def test_what_is_nested_too_deeply_for_pyyaml_is_refused(key: str) -> None:
    for levels in (400, 100_000):
        text = OURS + f"{key}: {'[' * levels}{']' * levels}\nparallel: {{num_threads: 30}}\n"
        if levels == 400:
            check_transformed(text, text.replace("30", "15"))
        else:
            check_refused(text, "nested too deeply")


@pytest.mark.parametrize(
    ("comment", "rules"),
    [
        ("# digitalmodel-optimizer: ignore[orcaflex-parallel-threads] needs 30", 0),
        ("# digitalmodel-optimizer: ignore", 0),
        ("# Digitalmodel-Optimizer:ignore[python-threads, orcaflex-parallel-threads]", 0),
        ("# digitalmodel-optimizer: ignore[parallel-num-threads]", 1),
        ("# digitalmodel-optimizer: see below", 1),
    ],
)
def test_an_ignore_comment_on_the_line_above_it_or_on_top_of_the_file(
    comment: str, rules: int
) -> None:
    texts = [
        OURS + BLOCK + f"30 {comment}\n",
        OURS + f"orcaflex:\n  parallel:\n    {comment}\n    threads: 30\n",
        OURS + f"orcaflex:\n  parallel:\n    threads: {comment}\n      30\n",
        f"# our file\n{comment}\n\n{OURS}{BLOCK}30\n",
    ]
    for text in texts:
        findings, _ = plan_bytes(text.encode(), "yaml", choice())
        assert len(changes(findings)) == rules, text


def test_a_misspelled_rule_in_an_ignore_comment_is_refused_before_anything_is_rewritten() -> None:
    comment = " # digitalmodel-optimizer: ignore[orcaflex-parallel-thread]\n"
    text = OURS + BLOCK + "30" + comment
    assert check_refused(text, "did you mean orcaflex-parallel-threads?").line == 4
    check_noop(OURS + BLOCK + "15" + comment)


def test_a_comment_elsewhere_ignores_nothing() -> None:
    comment = "# digitalmodel-optimizer: ignore\n"
    text = OURS + comment + "a: 1\n" + BLOCK + "30\n" + comment
    check_transformed(text, text.replace("30", "15"))
