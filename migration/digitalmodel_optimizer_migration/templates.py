"""Post-process configurations with the new defaults, to begin from."""

from __future__ import annotations

from importlib import resources

from digitalmodel_optimizer_migration.data import MigrationError

NAMES = ("dm_fsts.yml", "dm_fsts_lngc.yml")


def template(name: str) -> bytes:
    """The text of a template, as it is to be written.

    :raises MigrationError: there is none of that name.
    """
    if name not in NAMES:
        raise MigrationError(f"there is no template {name}; there are {', '.join(NAMES)}")
    return (resources.files(__package__) / "templates" / name).read_bytes()


def write_template(name: str, path: str) -> None:
    """Write a template to a file that is not there yet.

    :raises MigrationError: there is no such template, or ``path`` cannot be written anew.
    """
    content = template(name)
    try:
        with open(path, "xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise MigrationError(f"{path} is there already; name another file") from None
    except OSError as error:
        raise MigrationError(f"{path} cannot be written: {error.strerror}") from error
