"""Each rule: what it rewrites, what it reports, what it leaves alone."""

from __future__ import annotations

import pytest
from changes import OURS, changes, check_noop, check_transformed, choice, notes

from digitalmodel_optimizer.startup.command_line import BASENAMES
from digitalmodel_optimizer_migration import (
    RULES,
    Identity,
    MigrationError,
    chosen,
    plan_bytes,
    rule_named,
    set_values,
)


def test_orcaflex_parallel_threads() -> None:
    before = OURS + "orcaflex:\n  parallel:\n    enabled: True\n    threads: 30   # workers\n"
    check_transformed(before, before.replace("30", "15"))


def test_parallel_processing_max_workers() -> None:
    before = OURS + "parallel_processing:\n  enabled: true\n  max_workers: 30  # or auto\n"
    check_transformed(before, before.replace("30", "auto"))


def test_parallel_processing_workers() -> None:
    before = OURS + "parallel_processing:\n  workers: 30\n"
    check_transformed(before, before.replace("30", "auto"))


def test_parallel_num_threads() -> None:
    before = OURS + "parallel:\n  num_threads: 30\n  chunk_size: 30\n"
    check_transformed(before, before.replace("num_threads: 30", "num_threads: 15"))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("parallel-threads", "parallel:\n  threads: 30\n"),
        ("top-level-workers", "workers: '30'\n"),
        ("threading-defaults", "threading:\n  mode: dynamic\n  defaults: {small_files: 30}\n"),
        ("parallel-processing-timeout-per-file", "parallel_processing: {timeout_per_file: 1200}\n"),
        (
            "parallel-processing-progress-reporting",
            "parallel_processing: {progress_reporting: true}\n",
        ),
    ],
)
def test_settings_that_nobody_reads_are_reported_with_what_to_write_instead(
    rule: str, text: str
) -> None:
    findings = check_noop(OURS + text)
    assert notes(findings) == [rule]
    assert rule_named(rule).instead in findings[0].message


@pytest.mark.parametrize(
    "identity",
    [
        "library: digitalmodel\n",
        "meta:\n  library: digitalmodel\n",
        "basename: orcaflex\n",
        "meta: {basename: orcaflex_analysis}\n",
        "'meta': {\"basename\": 'orcaflex_post_process'}\n",
        "meta: &m {basename: orcaflex}\nother: *m\n",
    ],
)
def test_a_document_is_ours_by_what_it_says_of_itself(identity: str) -> None:
    before = f"{identity}orcaflex: {{parallel: {{threads: 30}}}}\n"
    check_transformed(before, before.replace("30", "15"))


@pytest.mark.parametrize(
    "text",
    [
        "threads: 30\nrule: all\n",  # a Snakefile's configuration
        "server: {threads: 30, max_workers: 30}\n",  # a web server's
        "meta: {library: assetutilities}\nparallel_processing: {max_workers: 30}\n",
        "basename: orcaflexible\norcaflex: {parallel: {threads: 30}}\n",
        "# library: digitalmodel\norcaflex: {parallel: {threads: 30}}\n",
        "note: 'basename: orcaflex'\norcaflex: {parallel: {threads: 30}}\n",
        "orcaflex: {parallel: {threads: 30}}\n",
        OURS + "openfoam_run_batch: {run_batch: {workers: 30}}\n",
        OURS + "orcaflex_run_batch: {run_batch: {workers: 30, solver_threads: 30}}\n",
        OURS + "web: {orcaflex: {parallel: {threads: 30}}}\n",
        OURS + "orcaflex: [{parallel: {threads: 30}}]\n",
    ],
)
def test_what_is_not_ours_is_never_touched_nor_reported(text: str) -> None:
    assert check_noop(text) == []


@pytest.mark.parametrize("value", ["8", "20", "29", "31", "128", "-30", "300"])
def test_another_number_is_somebodys_decision(value: str) -> None:
    text = OURS + f"orcaflex: {{parallel: {{threads: {value}}}}}\n"
    findings = check_noop(text)
    assert "somebody chose it" in findings[0].message


def test_another_number_is_rewritten_if_asked() -> None:
    before = OURS + "parallel_processing: {max_workers: 20}\n"
    check_transformed(before, before.replace("20", "auto"), chosen=choice(also=(20,)))


def test_the_new_value_may_be_chosen() -> None:
    before = OURS + "orcaflex: {parallel: {threads: 30}}\nparallel: {num_threads: 30}\n"
    after = before.replace("{threads: 30", "{threads: 10")
    after = after.replace("num_threads: 30", "num_threads: 12")
    wanted = choice(assign=("orcaflex.parallel.threads=10", "parallel.num_threads=12"))
    check_transformed(before, after, chosen=wanted)


@pytest.mark.parametrize("text", ["threads: 15", "threads:", "threads: ~", "enabled: True"])
def test_new_and_empty_values_are_nothing_to_speak_of(text: str) -> None:
    assert check_noop(OURS + f"orcaflex:\n  parallel:\n    {text}\n") == []


def test_auto_is_a_fault_where_readers_take_whole_numbers_only() -> None:
    findings = check_noop(OURS + "parallel: {num_threads: auto}\n")
    assert notes(findings) == ["parallel-num-threads"]
    assert check_noop(OURS + "parallel_processing: {max_workers: auto}\n") == []


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("orcaflex.parallel.threads=auto", "a whole number from 1 to 128, not 'auto'"),
        ("orcaflex.parallel.threads=0", "not '0'"),
        ("parallel.num_threads=129", "not '129'"),
        ("python.threads=64", "a whole number from 1 to 61"),
        ("parallel_processing.max_workers=a b", "or auto, not 'a b'"),
        ("orcaflex.parallel.thread=15", "did you mean orcaflex.parallel.threads?"),
        ("orcaflex.parallel.threads", "takes KEY=VALUE"),
    ],
)
def test_a_value_that_a_reader_would_not_take_is_refused(assignment: str, said: str) -> None:
    with pytest.raises(MigrationError) as caught:
        set_values([assignment])
    assert said in str(caught.value)


def test_rules_are_chosen_by_name() -> None:
    text = OURS + "orcaflex: {parallel: {threads: 30}}\nparallel: {num_threads: 30}\n"
    only = choice("parallel-num-threads")
    after = text.replace("num_threads: 30", "num_threads: 15")
    assert changes(check_transformed(text, after, chosen=only)) == ["parallel-num-threads"]
    left = chosen(skip=["parallel-num-threads"])
    assert "parallel-num-threads" not in left
    assert "enable-plugins" not in left
    with pytest.raises(MigrationError, match=r"did you mean parallel-num-threads\?"):
        chosen(["parallel-num-thread"])
    with pytest.raises(MigrationError, match="leave no rule"):
        chosen(["parallel-threads"], ["parallel-threads"])


def test_every_rule_says_all_there_is_to_know() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        titles = dict(rule.described())
        assert {"setting", "readers", "why"} <= set(titles)
        assert bool(rule.new) != bool(rule.instead) or rule.asked
        assert rule.new == "" or rule.check(rule.new) == rule.new


def test_basenames_are_those_that_the_engine_knows() -> None:
    """The migration imports nothing of ours, so it cannot ask."""
    assert Identity().basenames == BASENAMES


def test_the_line_of_a_finding_is_the_values() -> None:
    text = OURS + "orcaflex:\n  parallel:\n    threads:\n      30\n"
    (finding,), _ = plan_bytes(text.encode(), "yaml", choice())
    assert (finding.line, finding.column) == (5, 7)
    assert (finding.old, finding.new) == ("30", "15")


RECORD = "Analysis:\n  basename: orcaflex_post_process\n  start_time: 2026-11-27 19:32:53.427223\n"


def test_the_record_of_a_finished_run_says_what_the_run_had() -> None:
    text = OURS + RECORD + "orcaflex:\n  parallel:\n    threads: 30\n"
    findings = check_noop(text)
    assert notes(findings) == ["orcaflex-parallel-threads"]
    assert "30 stays: this is the record of a finished run" in findings[0].message
    assert "enable" not in str(check_noop(text, chosen=choice("enable-plugins")))


def test_a_record_that_says_nothing_old_is_not_worth_a_word() -> None:
    assert check_noop(OURS + RECORD + "orcaflex:\n  parallel:\n    threads: 15\n") == []


def test_settings_of_simulations_are_no_settings_of_post_processing() -> None:
    text = "meta: {basename: orcaflex}\norcaflex:\n  analysis: {dynamic: true}\n"
    block = "parallel_processing:\n  max_workers: 30\n"
    findings = check_noop(text + block)
    assert notes(findings) == ["parallel-processing-max-workers"]
    assert "this runs simulations" in findings[0].message
    both = text + "  postprocess: {summary: {flag: true}}\n" + block
    check_transformed(both, both.replace("30", "auto"))
