"""The cache: a directory with objects, entries, what is known of files, and the history of runs.

Everything in it can be removed at any time, by anyone: what is gone is computed again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.entries import Entries, Entry
from converter.engine.cache.history import History
from converter.engine.cache.locks import Waiting, locked
from converter.engine.cache.objects import DAMAGED, BadObject, ObjectStore
from converter.errors import InputError
from converter.model.artefacts import write_quickly
from converter.model.cache_home import CACHE_VARIABLE, cache_home

#: A file that says whose directory it is; ``gc`` removes nothing where it is missing.
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# Results of paddle2om; all of it can be removed. See https://bford.info/cachedir/\n"
)


def default_directory() -> Path:
    """``results`` in the cache directory. Raises ``InputError`` as ``cache_home``."""
    return cache_home() / "results"


class Cache:
    """The cache in one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = ObjectStore(root / "objects")
        self.entries = Entries(root / "entries")
        self.history = History(root / "history")
        self.lock_directory = root / "locks"

    @classmethod
    def open(cls, root: Path) -> Cache:
        """Open or make the cache in ``root``.

        Raises ``InputError`` when it cannot be written, or is a directory with other things in it.
        """
        root = root.absolute()
        tag = root / _TAG
        try:
            if not tag.is_file():
                if root.is_dir() and any(root.iterdir()):
                    raise InputError(
                        f"{root} is not empty and is not a cache of paddle2om",
                        hint="name an empty or a new directory",
                    )
                write_quickly(tag, _TAG_TEXT)
            for name in ("objects", "entries", "history", "locks"):
                (root / name).mkdir(exist_ok=True)
            write_quickly(root / "locks" / "writable", b"")
        except OSError as error:
            raise InputError(
                f"the cache {root} cannot be written: {error.strerror or error}",
                hint=f"name another directory with --cache or {CACHE_VARIABLE}, or use --no-cache",
            ) from error
        return cls(root)

    def digests(self) -> Digests:
        """What is known of files on this machine."""
        return Digests(self.root / "digests.json")

    def find(self, key: str) -> Entry | None:
        """The entry with this key if its files are there.

        Raises ``BadObject`` when the entry, or a file that it names, was damaged, or the
        entry has the form of another version.
        """
        entry = self.entries.read(key)
        for file in entry.files if entry else ():
            path = self.objects.path(file.sha256)
            try:
                size = path.stat().st_size
            except OSError:
                return None
            if size != file.bytes:
                path.unlink(missing_ok=True)
                raise BadObject(f"the cached {file.name}", DAMAGED)
        return entry

    def touch(self, keys: Iterable[str]) -> None:
        """Note that entries were used now: ``gc`` removes those first that were not."""
        for key in keys:
            with contextlib.suppress(OSError):
                os.utime(self.entries.path(key))

    @classmethod
    def existing(cls, root: Path) -> Cache:
        """The cache in ``root``; ``InputError`` when there is none."""
        if not (root / _TAG).is_file():
            raise InputError(
                f"there is no cache in {root}",
                hint="name its directory with --cache; build makes one",
            )
        return cls(root.absolute())

    def once(
        self, kind: str, key: str, waiting: Waiting | None = None
    ) -> AbstractContextManager[bool]:
        """Held by the process that computes what ``key`` stands for; others wait while it lives.

        A ``kind`` has locks of its own: who holds one of a stage may wait for a reference, and
        nobody the other way round.
        """
        return locked(self.lock_directory / f"{kind}-{key}", patience=None, waiting=waiting)
