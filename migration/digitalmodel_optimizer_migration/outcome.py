"""What became of each file, and of a whole run."""

from __future__ import annotations

from dataclasses import dataclass, field

from digitalmodel_optimizer_migration.data import Counts, FilePlan

NOTED, WOULD_CHANGE, CHANGED, LEFT = "noted", "would change", "changed", "refused"
DONE_STATUS, NEEDED_STATUS, FAILED_STATUS, REFUSED_STATUS = 0, 1, 2, 3


@dataclass(frozen=True)
class Done:
    """One file: its plan, and what became of it.

    ``name`` is the path to show. ``patched`` is the one in a patch, from the top of the repository
    on, as ``git apply`` takes it.
    """

    name: str
    patched: str
    plan: FilePlan
    state: str


@dataclass
class Tally:
    """What a run has to say at its end; filled while ``migrate`` goes on."""

    counts: Counts = field(default_factory=Counts)
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    repositories: int = 0
    repositories_done_before: int = 0
    would_change: int = 0

    def add(self, done: Done) -> None:
        for finding in done.plan.findings:
            levels = self.rules.setdefault(finding.rule, {})
            levels[finding.level] = levels.get(finding.level, 0) + 1
        self.counts.changed += done.state == CHANGED
        self.counts.refused += done.state == LEFT
        self.would_change += done.state == WOULD_CHANGE

    @property
    def exit_status(self) -> int:
        """2 if anything failed, 3 if anything was refused, 1 if anything would change, else 0."""
        if self.failures:
            return FAILED_STATUS
        if self.counts.refused:
            return REFUSED_STATUS
        return NEEDED_STATUS if self.would_change else DONE_STATUS
