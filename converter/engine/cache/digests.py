"""Digests of files, remembered by path, device, size, times and inode: a model is read once.

Not seen: what a program writes through a mapping of a page that is dirty already, which changes no
time, and another image of a file system mounted in the same place with the same times, inodes and
device number (docs/reference/cache.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from converter.engine.cache.locks import locked
from converter.model.artefacts import sha256_of, write_quickly
from converter.model.files import Signature, signature, signature_of

#: A file that changed so few nanoseconds before it was read may change again within the same tick
#: of its file system's clock; its digest is not remembered.
_SETTLED = 2_000_000_000

#: Files that are remembered at most; those not asked for in a long time go first.
_AT_MOST = 50_000

#: Version of what the memo looks like; one of another version is not read.
_FORMAT = 3


def _as_noted(path: Path, seen: Signature | None = None) -> list[object]:
    """A signature with the number of the device, which another image mounted there changes.

    ``seen`` instead of what the file is like now. Raises ``OSError``.
    """
    status = path.stat()
    return [status.st_dev, *(seen or signature_of(status))]


class Digests:
    """A memo of digests in the file ``memo``; several processes may share it.

    Without a file, digests are known while this process runs.
    """

    def __init__(self, memo: Path | None) -> None:
        self._memo = memo
        self._known = _load(memo) if memo else {}
        self._new: dict[str, list[object]] = {}

    def known(self, path: Path) -> str | None:
        """The digest of a file as it is now, if that is remembered."""
        found = self._known.get(str(path))
        try:
            if found is None or found[:5] != _as_noted(path):
                return None
        except OSError:
            return None
        return str(found[5])

    def of(self, path: Path) -> str:
        """The digest of a file. Raises ``OSError``."""
        digest = self.known(path)
        if digest is None:
            before = signature(path)
            digest = sha256_of(path)
            self.remember(path, digest, before)
        return digest

    def remember(self, path: Path, digest: str, seen: Signature) -> None:
        """Note what a file's digest was when it had the signature ``seen``.

        It is known while this process runs, and in later ones if the file had settled. Raises
        ``OSError``.
        """
        self._known[str(path)] = [*_as_noted(path, seen), digest, int(time.time())]
        if time.time_ns() - max(seen[1], seen[2]) > _SETTLED:
            self._new[str(path)] = self._known[str(path)]

    def read_all(self, paths: Iterable[Path]) -> None:
        """Compute those that are not known, several at a time; unreadable files are left out."""

        def read(path: Path) -> None:
            with contextlib.suppress(OSError):
                self.of(path)

        unknown = [path for path in dict.fromkeys(paths) if self.known(path) is None]
        if unknown:
            with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as threads:
                list(threads.map(read, unknown))

    def save(self) -> None:
        """Add what is new to the file. What cannot be written is computed again next time."""
        if not self._new or self._memo is None:
            return
        with contextlib.suppress(OSError), locked(self._memo.with_suffix(".lock")):
            merged = {**_load(self._memo), **self._new}
            if len(merged) > _AT_MOST:
                newest = sorted(merged.items(), key=lambda item: -int(str(item[1][6])))
                merged = dict(newest[:_AT_MOST])
            write_quickly(self._memo, json.dumps({"format": _FORMAT, "files": merged}).encode())
            self._new = {}


def _load(memo: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(memo.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return {}
    files = content.get("files")
    return {
        path: found
        for path, found in (files.items() if isinstance(files, dict) else ())
        if isinstance(found, list) and len(found) == 7 and isinstance(found[6], int)
    }
