"""The settings of tables, tried before the first file is read.

The host meets a setting that it cannot use when it writes the table: after the last file, or once
for every file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from digitalmodel_optimizer.host.config import HostConfig, Path
from digitalmodel_optimizer.plugin import SettingsError


def refuse_unusable_settings(cfg: Any) -> None:
    """Try what the host will do with the settings of the tables that are asked for.

    :raises SettingsError: names every key with whose value no table can be written.
    """
    faults = [f"{'.'.join(map(str, key))} {said}" for key, said in _faults(HostConfig(cfg))]
    if faults:
        raise SettingsError(faults)


def _faults(config: HostConfig) -> Iterator[tuple[Path, str]]:
    for key, label in config.labels_of_groups():
        if not isinstance(label, str):
            yield key, f"is {label!r}, of which the host makes no file name; write it in quotes"
    for key, decimals in config.decimals():
        if type(decimals) is int:  # as ever; pandas is not imported to be told so
            continue
        try:
            import pandas

            pandas.DataFrame({"x": [0.5]}).round(decimals)
        except Exception as error:
            text = str(decimals).strip()
            advice = f"write {text} without quotes" if text.isdigit() else "write a whole number"
            said = f"{type(error).__name__}: {error}"
            yield key, f"is {decimals!r}, which rounds no table ({said}); {advice}"
    key, unread = config.unreadable_statistics()
    if unread is not None:
        said = f"{type(unread).__name__}: {unread}"
        yield key, f"cannot be read ({said}); it holds Minimum, Maximum, Mean and StdDev"
