"""The keys of the host's configuration; no other module spells them.

A configuration is the mapping ``cfg`` that the host reads from the user's YAML and hands to its
``post_process``. :class:`HostConfig` reads and writes it in place and keeps nothing of its own.
What users set for this project in the same file is read in
:mod:`digitalmodel_optimizer.config.settings`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

# What differs from run to run, or says where the host reads and writes: no file's numbers hang on
# it.
PER_RUN = ("file_management", "Analysis")
_SUMMARY, _SERIES, _LINKED = (
    "summary_settings",
    "time_series_settings",
    "linked_statistics_settings",
)
_PARTS = {"summary": _SUMMARY, "time_series": _SERIES, "linked_statistics": _LINKED}
"""Parts of the post-processing, and which settings each has."""
SUMMARY_PART = ("orcaflex", "postprocess", "summary")
_STATISTICS = ("Minimum", "Maximum", "Mean", "StdDev")
_PERIOD = "SimulationPeriod"
ROW_LABELS = ("fe_filename_stem", "statistic")
"""The columns of a summary that tell its rows apart; other tables have time in the first."""
SERIES_RECORDS = "time_series"
"""The list of time-series tables among the records of a batch."""

TIME_HISTORY = ("TimeHistory",)
STATIC_RESULT = ("Static Result", "StaticResult")
RANGE_GRAPH = ("Range Graph",)
GET_DATA = ("GetData", "Get Data")
READ_AS_SERIES = "time series"
"""What stands for a command where the host reads a time-series column, whatever it names."""

SEARCH = ("file_management", "flag")
"""Whether the host looks for its input files itself."""
INPUT_FOLDER = ("file_management", "input_directory")
PATTERN = ("file_management", "filename", "pattern")
EXTENSIONS = ("file_management", "filename", "extension")
_FILTERS = ("file_management", "filename", "filters")
INPUT_FILES = ("file_management", "input_files", "sim")

Path = tuple[Any, ...]


class _Entry:
    """An entry of the configuration: a descriptor, made of the keys that lead to it."""

    def __init__(self, *path: str) -> None:
        self._path = path

    def __get__(self, config: HostConfig, _owner: type) -> Any:
        return reduce(getitem, self._path, config.cfg)

    def __set__(self, config: HostConfig, value: Any) -> None:
        *above, key = self._path
        reduce(getitem, above, config.cfg)[key] = value


class HostConfig:
    """The host's ``cfg``, by what its entries mean.

    ``files`` lists the simulation files in the host's order, as texts or paths; ``records`` is
    what the host writes down of them while it works. Paths that are not absolute are relative to
    ``root``.
    """

    root = _Entry("Analysis", "analysis_root_folder")
    files = _Entry(*INPUT_FILES)
    input_files = _Entry("file_management", "input_files")
    input_directory = _Entry("file_management", "input_directory")
    file_names = _Entry("file_management", "filename")
    result_folder = _Entry("Analysis", "result_folder")
    basename = _Entry("meta", "basename")

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg

    @property
    def records(self) -> Any:
        return self.cfg[self.basename]

    @records.setter
    def records(self, records: dict[str, Any]) -> None:
        self.cfg[self.basename] = records

    def get(self, path: Path) -> Any:
        """The value at ``path``; None if it is not there."""
        value = self.cfg
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def input_folders(self, root: str) -> list[str]:
        """Where the host looks for the input folder, in its order; ``root`` is the user's file's.

        None is looked for where the host gets its files otherwise.
        """
        named = self.get(INPUT_FOLDER)
        if not self.get(SEARCH) or not isinstance(named, (str, type(None))):
            return []
        folders = [os.path.join(root, named or ""), os.path.abspath(named or root)]
        return list(dict.fromkeys(map(os.path.normpath, folders)))

    @property
    def input_folder(self) -> Any:
        """The folder in which the host has looked for files; None if they are listed."""
        return self.get(("Analysis", "file_management_input_directory"))

    @input_folder.setter
    def input_folder(self, folder: Any) -> None:
        self.cfg["Analysis"]["file_management_input_directory"] = folder

    @property
    def file_pattern(self) -> str:
        """Which names of simulation files the host takes; it may filter them further."""
        part = self.get(PATTERN)
        return "*.sim" if part is None else f"*{part}*.sim"

    @property
    def filters_files(self) -> bool:
        return bool(self.get(_FILTERS))

    @property
    def summary_stem(self) -> Any:
        """With what the host begins the names of summary tables."""
        return self.cfg["Analysis"].get("file_name")

    @property
    def linked_stem(self) -> Any:
        """With what the host begins the names of tables of linked statistics."""
        return self.cfg["Analysis"].get("file_name_for_overwrite", self.summary_stem)

    @property
    def lists_files(self) -> bool:
        """Whether the host lists the files of a folder; otherwise they are named one by one."""
        return bool((self.cfg.get("file_management") or {}).get("flag"))

    @property
    def output_directory(self) -> Any:
        """Where results go, as the user says; None for the host's own choice."""
        return (self.cfg.get("file_management") or {}).get("output_directory")

    @property
    def label(self) -> Any:
        """What the user adds to the names of outputs; None for nothing."""
        return (self.cfg.get("meta") or {}).get("label")

    @property
    def overwrites_outputs(self) -> bool:
        """Whether outputs have the same names in every run, not the time in them."""
        return self.cfg["default"]["config"]["overwrite"]["output"] is True

    def note_names(self, root: str, results: str, name: str, fixed_name: str) -> None:
        """Write down folders and names of outputs, as the host does before anything else."""
        self.cfg["Analysis"].update(
            analysis_root_folder=root,
            result_folder=results,
            file_name=name,
            file_name_for_overwrite=fixed_name,
        )

    def own_outputs(self) -> Iterator[str]:
        """What the host itself writes in every run: its log and the final configuration."""
        yield os.path.join(self.root, "logs", f"{self.summary_stem}.log")
        yield os.path.join(self.root, "results", f"{self.summary_stem}.yml")

    @contextlib.contextmanager
    def without_files(self) -> Iterator[None]:
        """Inside, the list of files is empty; it may be long."""
        listed, self.files = self.files, []
        try:
            yield
        finally:
            self.files = listed

    def for_results(self) -> list[Any]:
        """What decides a file's results: everything but times, folders and tuning."""
        left_out = (*PER_RUN, "orcaflex", "parallel_processing")
        parts = {key: value for key, value in self.cfg.items() if key not in left_out}
        own = {key: value for key, value in self.cfg["orcaflex"].items() if key != "parallel"}
        return [parts, own]

    def is_wanted(self, part: str) -> bool:
        """Whether ``part`` of the post-processing ("summary", "time_series") is asked for."""
        block = self.cfg["orcaflex"]["postprocess"].get(part)
        return isinstance(block, Mapping) and bool(block.get("flag"))

    def is_post_processing(self) -> bool:
        """Whether any part of the post-processing is asked for."""
        parts = self.get(("orcaflex", "postprocess"))
        names = parts if isinstance(parts, Mapping) else ()
        return any(self.is_wanted(name) for name in names)

    def begins_series_records(self) -> bool:
        """Whether the first file begins the list of time-series tables."""
        return self.is_wanted("time_series") and bool((self.cfg.get(_SERIES) or {}).get("data"))

    def columns_to_read(self) -> Iterator[tuple[str, Path, Any]]:
        """(command, path, column) of every column of summaries and time series asked for."""
        if self.is_wanted("summary"):
            for path, column in self._columns(_SUMMARY):
                yield str(column.get("Command")), path, column
        if self.begins_series_records():
            for path, column in self._columns(_SERIES):
                yield READ_AS_SERIES, path, column

    def appended_indices(self) -> Iterator[tuple[Path, list[Any]]]:
        """(path, value) of entries that the host appends an index to when it first reads them."""
        for command, path, column in self.columns_to_read():
            variable = column.get("Variable")
            if (
                command in GET_DATA
                and object_name(column) == "Environment"
                and isinstance(variable, list)
                and len(variable) == 1
            ):
                yield (*path, "Variable"), [variable[0], 0]

    def _columns(self, section: str) -> Iterator[tuple[Path, Any]]:
        for group_place, group in enumerate(self._groups(section)):
            for place, column in enumerate(group.get("Columns") or ()):
                if isinstance(column, Mapping):
                    yield (section, "groups", group_place, "Columns", place), column

    def _groups(self, section: str) -> Sequence[Any]:
        return (self.cfg.get(section) or {}).get("groups") or ()

    def labels(self, path: Path) -> str:
        """The labels of the group and the column that ``path`` leads to, or into, as text."""
        section, _, group, _, column = path[:5]
        entry = self._groups(section)[group]
        return f"{entry.get('Label')} / {entry['Columns'][column].get('Label')}"

    def decimals(self) -> Iterator[tuple[Path, Any]]:
        """(path, value) of what each part that is asked for rounds its tables to, where it says."""
        for part, section in _PARTS.items():
            path = (*SUMMARY_PART[:-1], part)
            written = self.is_wanted(part) and self._groups(section)
            if written and "csv_decimal" in self.get(path):
                yield (*path, "csv_decimal"), self.get((*path, "csv_decimal"))

    def labels_of_groups(self) -> Iterator[tuple[Path, Any]]:
        """(path, label) of the groups of all parts that are asked for; groups count from 1."""
        for part, section in _PARTS.items():
            if self.is_wanted(part):
                for number, group in enumerate(self._groups(section), 1):
                    if "Label" in group:
                        yield (section, "groups", number, "Label"), group["Label"]

    def unreadable_statistics(self) -> tuple[Path, Exception | None]:
        """(path, error) that the host would meet when it looks which statistics a summary has.

        Not every version looks: what is not there at all is left to the host.
        """
        path = (*SUMMARY_PART, "statistics")
        written = self.is_wanted(SUMMARY_PART[-1]) and self._groups(_SUMMARY)
        if written and "statistics" in self.get(SUMMARY_PART):
            statistics = self.get(path)
            try:
                any(statistics[name] for name in _STATISTICS)  # it asks no further, either
            except Exception as error:
                return path, error
        return path, None

    def expected_outputs(self, folder: str, stems: Sequence[str]) -> Iterator[str]:
        """Every table that the host may write, as far as the configuration tells.

        Those of the batch first, then those of each file, by the ``stems`` of their names.
        """
        names_of = {
            _SUMMARY: ("summary", [self.summary_stem]),
            _LINKED: ("linked_statistics", [self.linked_stem]),
            _SERIES: ("time_series", stems),
        }
        for section, (part, names) in names_of.items():
            if section == _SERIES and not self.begins_series_records():
                continue
            for group in self._groups(section) if self.is_wanted(part) else ():
                for name in names:
                    yield os.path.join(folder, f"{name}_{group.get('Label')}.csv")


def object_name(column: Any) -> Any:
    return column.get("ObjectName")


def column_key(column: Any) -> Hashable:
    """A column as it stands now: the host changes a column's period between two questions."""
    period = column.get(_PERIOD)
    return (id(column), tuple(period) if isinstance(period, list) else period)


def is_period(path: Path) -> bool:
    """Whether ``path`` leads into a column's period."""
    return _PERIOD in path


def with_closed_period(column: Any, stop_time: Any) -> Any:
    """The column with an open period closed at the stop time, as the time-series loop does."""
    period = column.get(_PERIOD)
    if isinstance(period, list) and len(period) == 2 and period[1] is None:
        return {**column, _PERIOD: [period[0], stop_time]}
    return column
