"""What starting a worker process costs: asked by whoever weighs workers against waiting."""

from __future__ import annotations

from digitalmodel_optimizer.plugin import Option, Settings

OWNER = "thread-allocation"
OPTION = Option(
    "worker_start_s",
    float,
    0.5,
    "Time in which a worker process starts and imports what it needs of the engine; more where "
    "that comes from a slow disk.",
    unit="s",
    minimum=0,
)


def worker_start_s(settings: Settings) -> float:
    """Seconds from starting a worker process to its first file, as the settings have it."""
    return float(settings.plugin(OWNER).get(OPTION.name, OPTION.default))
