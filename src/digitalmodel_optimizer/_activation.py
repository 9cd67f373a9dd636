"""What the installed ``.pth`` file calls when ``digitalmodel`` is imported for the first time.

Python's ``site`` module reads ``digitalmodel_optimizer.pth`` at every interpreter start; its one
line puts a watcher on ``sys.meta_path`` that imports nothing and finds nothing. Only when somebody
imports ``digitalmodel`` does it come here.
"""

from digitalmodel_optimizer.streams import say
from digitalmodel_optimizer.watcher import stop_watching, switched_off


def host_is_wanted() -> None:
    """Activate the plugins, or leave the host alone; other finders then find it."""
    stop_watching()
    if switched_off():
        return
    try:
        from digitalmodel_optimizer.startup.activation import host_is_being_imported

        host_is_being_imported()
    except Exception as error:  # raised here, it would look as if the host could not be imported
        reason = f"{type(error).__name__}: {error}"
        say(f"plugins are off for this run: they cannot be used ({reason})")
