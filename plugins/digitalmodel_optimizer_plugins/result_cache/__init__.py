"""Results that are kept from run to run, so that only what changed is read again.

A result is used again if the file is the one that was read, and if all that its numbers depend on
besides is the same. It is found in the results folder, in a folder for its owner alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from digitalmodel_optimizer.plugin import (
    BYTES_PER_MB,
    Batch,
    FileResult,
    KeptResults,
    OptimizerWarning,
    Option,
    PluginOptions,
    Settings,
    SimulationFile,
    Store,
    StoreAction,
    hookimpl,
)
from digitalmodel_optimizer_plugins.result_cache.fingerprint import (
    Fingerprint,
    fingerprints,
    same_stamp,
    stamp_of,
)
from digitalmodel_optimizer_plugins.result_cache.store import (
    FOLDER_NAME,
    JOURNAL_NAME,
    Content,
    Entry,
    Key,
    digest_of,
)
from digitalmodel_optimizer_plugins.result_cache.store import Store as Journals

NAME = "result-cache"
NEW = "not in the cache"
CHANGED = "the file has changed"
UNVERIFIED = "its whole content was not noted, so it cannot be verified"
SETTINGS = "settings"


@dataclass
class _Run:
    """The batch that runs: its files before they are read, and what was found of them.

    ``outdated``: entries whose file has another time than noted and the same content. ``sources``:
    the users' files that have been run as they are.
    """

    batch: str = ""
    prints: dict[str, Fingerprint] = field(default_factory=dict)
    used: set[Key] = field(default_factory=set)
    outdated: list[Entry] = field(default_factory=list)
    sources: Mapping[str, str] = field(default_factory=dict)


_run = _Run()


@hookimpl
def optimizer_options() -> PluginOptions:
    return PluginOptions(
        "Keeps results from run to run, so that only files that changed are read "
        "(orcaflex.parallel.cache).",
        (
            Option(
                "folder",
                str,
                None,
                f"Where results are kept; empty for {FOLDER_NAME} in the results folder.",
                optional=True,
            ),
            Option("size_mb", float, 1000.0, "Maximum size of what is kept.", unit="MB", minimum=1),
        ),
    )


@hookimpl
def optimizer_expect_files(
    files: Sequence[SimulationFile], results_folder: str, settings: Settings
) -> Sequence[SimulationFile] | None:
    content = _loaded(_folder(results_folder, settings))
    source, digest = next(_source(settings), ("", ""))
    if content is None or not source or content.sources.get(source) != digest:
        return None
    known = {os.path.realpath(path): entry for path, entry in content.latest().items()}
    return [file for file in files if not _looks_same(known.get(os.path.realpath(file.path)))]


@hookimpl
def optimizer_reuse_results(
    batch: Batch, files: Sequence[SimulationFile], settings: Settings
) -> KeptResults | None:
    global _run
    _run = _Run()
    content = _loaded(_folder(batch.results_folder, settings))
    if content is None:
        return None
    verify = settings.verify_inputs
    paths = [file.path for file in batch.files]
    taken = fingerprints(paths, whole=verify)
    prints = {path: now for path, now in zip(paths, taken, strict=True) if now is not None}
    _run = _Run(batch.identifier, prints, sources=content.sources)
    conditions = digest_of(batch.conditions)
    latest = content.latest()
    records, reasons = {}, {}
    for file in files:
        entry = content.entries.get((conditions, file.path))
        now = prints.get(file.path)
        if entry is None or now is None:
            reasons[file.index] = _why_not(latest.get(file.path), content, batch)
            continue
        same = entry.fingerprint.is_same(now, file.path, verify=verify)
        if not same:
            reasons[file.index] = UNVERIFIED if same is None else CHANGED
            continue
        records[file.index] = entry.record
        _run.used.add(entry.key)
        if now.settled and (entry.fingerprint.stamp != now.stamp or not entry.fingerprint.settled):
            whole = now.whole or entry.fingerprint.whole
            _run.outdated.append(replace(entry, fingerprint=replace(now, whole=whole)))
    return KeptResults(records, reasons)


@hookimpl
def optimizer_keep_results(
    batch: Batch,
    results: Sequence[FileResult],
    record: Callable[[FileResult], bytes | None],
    settings: Settings,
) -> None:
    if _run.batch != batch.identifier:
        return
    store = Journals(_folder(batch.results_folder, settings))
    conditions = digest_of(batch.conditions)

    def entries() -> Iterator[Entry]:
        yield from _run.outdated
        for result in results:
            print_ = _run.prints.get(result.file.path)
            if print_ is not None and print_.stamp == result.input_stamp:
                content = record(result)
                if content is not None:
                    entry = Entry(conditions, result.file.path, print_, content)
                    _run.used.add(entry.key)
                    yield entry

    source = dict(_source(settings))
    try:
        if results or _run.outdated or not source.items() <= _run.sources.items():
            store.add(entries(), batch.conditions, source)
            with contextlib.suppress(OSError):  # by the next run, then
                store.shrink(settings.plugin(NAME)["size_mb"] * BYTES_PER_MB, _run.used)
    except OSError as error:
        _warn(store.folder, error)


@hookimpl
def optimizer_batch_finished() -> None:
    global _run
    _run = _Run()


@hookimpl
def optimizer_manage_store(
    action: StoreAction, results_folder: str, settings: Settings
) -> Store | None:
    store = Journals(_folder(results_folder, settings))
    limit_mb = settings.plugin(NAME)["size_mb"]
    if not os.path.lexists(store.folder):
        return None
    before, content = store.size_bytes, store.load()
    count = len(content.entries)
    if action is StoreAction.CLEAR:
        store.remove()
        content = Content()
    elif action is StoreAction.PRUNE:
        latest = content.latest()
        content = store.rewrite(
            limit_mb * BYTES_PER_MB,
            lambda entries: [
                entry for entry in entries if latest[entry.path] == entry and _looks_same(entry)
            ],
        )
    return Store(
        store.folder,
        len(content.entries),
        store.size_bytes / BYTES_PER_MB,
        limit_mb,
        count - len(content.entries),
        (before - store.size_bytes) / BYTES_PER_MB,
    )


def _folder(results_folder: str, settings: Settings) -> str:
    named = settings.plugin(NAME)["folder"]
    if named is not None:
        base = os.path.dirname(settings.source) if settings.source else ""
        return os.path.abspath(os.path.join(base, os.path.expanduser(named)))
    if os.path.isfile(os.path.join(results_folder, JOURNAL_NAME)):
        return results_folder
    return os.path.join(results_folder, FOLDER_NAME)


def _loaded(folder: str) -> Content | None:
    """What is kept there; None where it is not the user's own, which is told."""
    try:
        return Journals(folder).load()
    except OSError as error:
        _warn(folder, error)
        return None


def _warn(folder: str, error: OSError) -> None:
    warnings.warn(
        f"{folder}: results are not kept there: {error.strerror}; choose another folder "
        f"(orcaflex.parallel.plugins.{NAME}.folder), or remove this one",
        OptimizerWarning,
        stacklevel=2,
    )


def _source(settings: Settings) -> Iterator[tuple[str, str]]:
    """The user's file and a digest of it, if it can be read."""
    if settings.source is not None:
        path = os.path.realpath(settings.source)
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            yield path, hashlib.sha256(stream.read()).hexdigest()


def _looks_same(entry: Entry | None) -> bool:
    """Whether the file has the size, time and inode that it had."""
    try:
        return entry is not None and same_stamp(entry.fingerprint.stamp, stamp_of(entry.path))
    except OSError:
        return False


def _why_not(other: Entry | None, content: Content, batch: Batch) -> str:
    """Why there is no result for a file, of which ``other`` is the last that was kept."""
    before = content.conditions.get(other.conditions) if other is not None else None
    if before is None:
        return NEW
    changed = [
        f"the {name} have changed" if name == SETTINGS else f"{name} has changed"
        for name, value in batch.conditions.items()
        if before.get(name) != value
    ]
    return " and ".join(changed) or NEW
