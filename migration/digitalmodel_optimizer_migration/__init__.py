"""Bringing worker settings of old files to the new defaults, keeping every other byte.

Usable without the command line, on plain data::

    from digitalmodel_optimizer_migration import Choice, chosen, plan_bytes, splice

    findings, edits = plan_bytes(raw, "yaml", Choice(rules=chosen()))
    new = splice(raw, edits)

``migrate`` walks files and folders. It starts processes where many files have to be parsed, so a
script that calls it needs the usual ``if __name__ == "__main__":``, or ``jobs=1``.
"""

from digitalmodel_optimizer_migration.data import (
    Choice,
    Edit,
    FilePlan,
    Finding,
    MigrationError,
    RefusedError,
)
from digitalmodel_optimizer_migration.outcome import Done, Tally
from digitalmodel_optimizer_migration.plan import plan_bytes, plan_file
from digitalmodel_optimizer_migration.rule import Identity, Rule
from digitalmodel_optimizer_migration.rules import RULES, chosen, rule_named, set_values
from digitalmodel_optimizer_migration.run import (
    Request,
    migrate,
    migrate_repositories,
    read_repositories,
)
from digitalmodel_optimizer_migration.splice import splice
from digitalmodel_optimizer_migration.templates import NAMES as TEMPLATES
from digitalmodel_optimizer_migration.templates import template, write_template
from digitalmodel_optimizer_migration.walk import Filters
from digitalmodel_optimizer_migration.writing import write_plan

__all__ = [
    "RULES",
    "TEMPLATES",
    "Choice",
    "Done",
    "Edit",
    "FilePlan",
    "Filters",
    "Finding",
    "Identity",
    "MigrationError",
    "RefusedError",
    "Request",
    "Rule",
    "Tally",
    "chosen",
    "migrate",
    "migrate_repositories",
    "plan_bytes",
    "plan_file",
    "read_repositories",
    "rule_named",
    "set_values",
    "splice",
    "template",
    "write_plan",
    "write_template",
]
