# ruff: noqa: ANN201
"""Whether the loop uses its pool, and how many processes."""

import os


def should_use_parallel(cfg, num_items, module_name=""):
    block = cfg.get("parallel_processing", {})
    use = bool(block.get("enabled")) and num_items > 1
    workers = block.get("max_workers")
    workers = workers if isinstance(workers, int) else os.cpu_count() or 1
    return use, min(workers, num_items), f"{module_name}: {workers} workers"
