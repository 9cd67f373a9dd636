"""The pool of processes that later versions of the engine have of their own.

With it the files of a batch have nothing to do with each other: each starts from the
configuration as it was read, and what it leaves there stays behind in its process. Without it a
file finds what those before it have left. Either is the engine's answer, so the engine is asked
which one it would give.
"""

from __future__ import annotations

from typing import Any

from digitalmodel_optimizer.host.modules import Host


class _Decided(BaseException):
    """Ends the engine's ``post_process`` once it has decided."""

    def __init__(self, pool: bool) -> None:
        self.pool = pool


def would_use_pool(host: Host, engine: Any, cfg: Any) -> bool:
    """Run the engine's ``post_process`` as far as its decision whether to use its pool.

    It leaves in ``cfg`` what it leaves there for a whole batch: how many workers it would use.
    """
    name = host.layout.pool_decision
    decide = getattr(host.opp, name, None)
    wrapper = vars(host.post_process_class)["post_process"]
    post_process = getattr(wrapper, "__wrapped__", wrapper)
    if decide is None or name not in post_process.__code__.co_names:
        return False

    def decided(*args: Any, **kwargs: Any) -> Any:
        raise _Decided(bool(decide(*args, **kwargs)[0]))

    setattr(host.opp, name, decided)
    try:
        post_process(engine, cfg)
    except _Decided as decision:
        return decision.pool
    finally:
        setattr(host.opp, name, decide)
    return False
