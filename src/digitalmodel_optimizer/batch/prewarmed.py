"""What was got ready while the host was being imported, for the process's first batch."""

from __future__ import annotations

from dataclasses import dataclass

from digitalmodel_optimizer.plugin.manager import PluginReference


@dataclass
class Prewarmed:
    """``workers`` processes are being started; ``plugins`` are the ones found installed.

    Looking through all installed distributions takes a while, and by the next batch of a notebook
    another one may be there.
    """

    workers: int = 0
    plugins: list[PluginReference] | None = None

    def take_workers(self) -> int:
        workers, self.workers = self.workers, 0
        return workers

    def take_plugins(self) -> list[PluginReference] | None:
        plugins, self.plugins = self.plugins, None
        return plugins


prewarmed = Prewarmed()
