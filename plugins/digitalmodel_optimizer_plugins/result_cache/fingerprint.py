"""Whether a .sim is still the one that was read, told without reading all of it.

A fingerprint is taken before the file is read. It holds as long as size, time of modification and
inode are the same, and three blocks of the content. The time says something only if it was older
than the clock's grain when the fingerprint was taken: a file that was written in the same two
seconds, as some shares count them, may have been written once more without a trace. Of such a file,
of a small one, and where that is asked for, the whole content is hashed and decides.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

BLOCK_BYTES = 65_536
_PARTS = 3
_CHUNK_BYTES = 4_000_000
# FAT counts in steps of 2 s; the rest is for clocks that differ a little.
CLOCK_GRAIN_S = 4.0
_TOGETHER = 8  # on a share each look takes as long as the way there and back

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Fingerprint:
    """``stamp``: size in bytes, time of modification in ns, inode, 0 where that means nothing.

    ``blocks``, ``whole``: digests of head, middle and tail, and of everything, where that is known.
    ``settled``: the time was older than the clock's grain.
    """

    stamp: Stamp
    blocks: bytes
    whole: bytes | None
    settled: bool

    def is_same(self, now: Fingerprint, path: str, *, verify: bool) -> bool | None:
        """Whether ``path``, which looks like ``now``, is the file that was read.

        :param verify: only its whole content can tell.
        :return: None if nothing that is known can tell.
        """
        if self.stamp[0] != now.stamp[0] or self.blocks != now.blocks:
            return False
        unchanged = same_stamp(self.stamp, now.stamp)
        if unchanged and self.settled and not verify:
            return True
        if self.whole is None:
            return None if unchanged else False
        return self.whole == (now.whole or _digest_of(path))


def same_stamp(one: Stamp, other: Stamp) -> bool:
    """Whether size and time are the same, and the inode where there is one."""
    return one[:2] == other[:2] and (one[2] == other[2] or 0 in (one[2], other[2]))


def stamp_of(path: str) -> Stamp:
    """:raises OSError: there is no such file."""
    status = os.stat(path)
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def fingerprint(path: str, *, whole: bool = False) -> Fingerprint | None:
    """The fingerprint of ``path``; None if it cannot be read, or is written to meanwhile.

    :param whole: with a digest of everything, whatever its age.
    """
    try:
        looked_at_s = time.time()
        stamp = stamp_of(path)
        size = stamp[0]
        settled = stamp[1] / 1e9 < looked_at_s - CLOCK_GRAIN_S
        small = size <= _PARTS * BLOCK_BYTES
        everything = _digest_of(path) if small or whole or not settled else None
        blocks = everything if small and everything else _digest_of_blocks(path, size)
        return Fingerprint(stamp, blocks, everything, settled) if stamp_of(path) == stamp else None
    except OSError:
        return None


def fingerprints(paths: Sequence[str], *, whole: bool = False) -> list[Fingerprint | None]:
    """:func:`fingerprint` of each."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="optimizer-fingerprint") as pool:
        return list(pool.map(lambda path: fingerprint(path, whole=whole), paths))


def _digest_of_blocks(path: str, size: int) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    with open(path, "rb", buffering=0) as stream:
        for place in (0, (size - BLOCK_BYTES) // 2, size - BLOCK_BYTES):
            stream.seek(place)
            digest.update(stream.read(BLOCK_BYTES))
    return digest.digest()


def _digest_of(path: str) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    with open(path, "rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
