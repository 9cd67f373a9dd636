"""All rules, in the order in which they are listed. A new rule is a file here and a line below."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from digitalmodel_optimizer_migration.data import MigrationError
from digitalmodel_optimizer_migration.rule import Rule
from digitalmodel_optimizer_migration.rules import (
    enable_plugins,
    orcaflex_parallel_threads,
    parallel_num_threads,
    parallel_processing_max_workers,
    parallel_processing_progress_reporting,
    parallel_processing_timeout_per_file,
    parallel_processing_workers,
    parallel_threads,
    python_max_workers,
    python_num_threads,
    python_threads,
    scripts_workers,
    threading_defaults,
    top_level_workers,
)

RULES: tuple[Rule, ...] = (
    orcaflex_parallel_threads.RULE,
    parallel_processing_max_workers.RULE,
    parallel_processing_workers.RULE,
    parallel_num_threads.RULE,
    python_num_threads.RULE,
    python_threads.RULE,
    python_max_workers.RULE,
    parallel_threads.RULE,
    top_level_workers.RULE,
    threading_defaults.RULE,
    parallel_processing_timeout_per_file.RULE,
    parallel_processing_progress_reporting.RULE,
    scripts_workers.RULE,
    enable_plugins.RULE,
)
ENABLE_PLUGINS = enable_plugins.RULE.name
BY_NAME = {rule.name: rule for rule in RULES}


def rule_named(name: str) -> Rule:
    """The rule of that name; MigrationError with the nearest right name if there is none."""
    if name in BY_NAME:
        return BY_NAME[name]
    raise MigrationError(no_rule(name))


def no_rule(name: str) -> str:
    """What to say of a name that is no rule's."""
    near = difflib.get_close_matches(name, list(BY_NAME), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BY_NAME)}"
    return f"there is no rule {name}; {hint}"


def chosen(only: Iterable[str] = (), skip: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the rules that look: those of ``only``, else all that need not be asked for.

    :raises MigrationError: a name is no rule's, or no rule is left.
    """
    wanted = [rule_named(name).name for name in only]
    left_out = {rule_named(name).name for name in skip}
    names = wanted or [rule.name for rule in RULES if not rule.asked]
    names = [name for name in BY_NAME if name in names and name not in left_out]
    if not names:
        raise MigrationError("--only and --skip leave no rule")
    return tuple(names)


def set_values(assignments: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """``KEY=VALUE`` texts as pairs of a rule's name and its checked value.

    :raises MigrationError: no rule rewrites KEY, or its readers would not take VALUE.
    """
    by_key = {rule.key: rule for rule in RULES if rule.new}
    values = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        rule = by_key.get(key.strip())
        if not equals:
            raise MigrationError(f"--set takes KEY=VALUE, not {assignment!r}")
        if rule is None:
            near = difflib.get_close_matches(key, list(by_key), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_key)}"
            raise MigrationError(f"no rule rewrites {key}; {hint}")
        values[rule.name] = rule.check(value)
    return tuple(values.items())
