"""Looks after a cache: what is in it, what may go, and whether all of it is sound."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from converter.engine.cache.locks import remove_unheld
from converter.engine.cache.objects import DAMAGED, MISSING, OTHER_VERSION, TEMPORARY, BadObject
from converter.engine.cache.store import Cache
from converter.model.record import Record

#: Seconds for which an object that no entry names is left alone: a build may be about to name it.
_GRACE = 3600.0

#: Seconds after which a temporary file is one of a process that was killed: of an object, which
#: may be large, and of the small files.
_ABANDONED, _ABANDONED_SMALL = 86400.0, 3600.0

#: The length of a digest; an entry of that size names Paddle's outputs.
_DIGEST = 64


class CacheInfo(Record):
    """What a cache holds; ``oldest`` and ``newest`` are seconds since an entry was last used."""

    directory: str
    entries: int
    objects: int
    bytes: int
    oldest: float | None
    newest: float | None


class Collected(Record):
    """What ``gc`` removed, or would remove."""

    directory: str
    dry_run: bool
    entries: int
    objects: int
    bytes: int
    kept_bytes: int


class Verified(Record):
    """What ``verify`` found; what is named has been removed, to be made anew by the next build.

    ``incomplete_entries`` are sound themselves and name files that are not there (any more), those
    of ``damaged_objects`` among them; ``outdated_entries`` have the form of another version.
    """

    directory: str
    entries: int
    objects: int
    damaged_entries: tuple[str, ...]
    damaged_objects: tuple[str, ...]
    incomplete_entries: tuple[str, ...]
    outdated_entries: tuple[str, ...]


@dataclass(frozen=True)
class _Used:
    """An entry: when it was last used, the objects it names, its own bytes."""

    key: str
    when: float
    objects: frozenset[str]
    bytes: int


def info(cache: Cache) -> CacheInfo:
    """Count what there is."""
    used = _entries(cache)
    sizes = _sizes(cache)
    now = time.time()
    ages = [now - each.when for each in used]
    return CacheInfo(
        directory=str(cache.root),
        entries=len(used),
        objects=len(sizes),
        bytes=sum(sizes.values()) + sum(each.bytes for each in used),
        oldest=max(ages, default=None),
        newest=min(ages, default=None),
    )


def collect(
    cache: Cache, *, max_bytes: int | None = None, max_age: float | None = None, dry_run: bool
) -> Collected:
    """Remove entries that were not used for ``max_age`` seconds, and the least recently used until
    the rest has ``max_bytes``; then the objects that no entry names.

    Other processes may use the cache meanwhile; what they miss they compute again.
    """
    now = time.time()
    sizes = _sizes(cache)
    kept: set[str] = set()
    total, removed = 0, []
    for each in sorted(_entries(cache), key=lambda entry: -entry.when):
        more = each.bytes + sum(sizes.get(digest, 0) for digest in each.objects - kept)
        too_old = max_age is not None and now - each.when > max_age
        too_much = max_bytes is not None and total + more > max_bytes
        if too_old or too_much:
            removed.append(each)
            continue
        kept |= each.objects
        total += more
    released = frozenset().union(*(each.objects for each in removed))
    unnamed = [
        digest
        for digest in sizes
        if digest not in kept and (digest in released or _age(cache, digest, now) > _GRACE)
    ]
    if not dry_run:
        for each in removed:
            cache.entries.remove(each.key)
        for digest in unnamed:
            cache.objects.path(digest).unlink(missing_ok=True)
        _remove_old(cache.root / "objects", _ABANDONED, f"{TEMPORARY}*")
        _remove_old(cache.root, _ABANDONED_SMALL, ".*.tmp")
        if max_age is not None:
            _remove_old(cache.root / "history", max_age)
        for lock in cache.lock_directory.iterdir():
            with contextlib.suppress(OSError):
                remove_unheld(lock)
    freed = sum(sizes[digest] for digest in unnamed) + sum(each.bytes for each in removed)
    return Collected(
        directory=str(cache.root),
        dry_run=dry_run,
        entries=len(removed),
        objects=len(unnamed),
        bytes=freed,
        kept_bytes=total,
    )


def verify(cache: Cache) -> Verified:
    """Read everything and remove what is of no use."""
    damaged_objects = []
    for digest in (digests := list(cache.objects.digests())):
        if not cache.objects.is_sound(digest):
            cache.objects.path(digest).unlink(missing_ok=True)
            damaged_objects.append(digest)
    bad: dict[str, list[str]] = {DAMAGED: [], MISSING: [], OTHER_VERSION: []}
    for key in (keys := cache.entries.keys()):
        try:
            _check_entry(cache, key)
        except BadObject as error:
            bad[error.how].append(key)
    return Verified(
        directory=str(cache.root),
        entries=len(keys),
        objects=len(digests),
        damaged_entries=tuple(bad[DAMAGED]),
        damaged_objects=tuple(damaged_objects),
        incomplete_entries=tuple(bad[MISSING]),
        outdated_entries=tuple(bad[OTHER_VERSION]),
    )


def _check_entry(cache: Cache, key: str) -> None:
    """Raises ``BadObject`` for an entry that is of no use, which has been removed then."""
    data = cache.entries.read_bytes(key)
    if data is None:  # removed meanwhile
        return
    if len(data) == _DIGEST:
        named = [data.decode(errors="replace")]
    else:
        entry = cache.entries.read(key)
        named = [file.sha256 for file in entry.files] if entry else []
    if not all(cache.objects.path(digest).is_file() for digest in named):
        cache.entries.remove(key)
        raise BadObject("a file of the cached result", MISSING)


def _entries(cache: Cache) -> list[_Used]:
    """Every sound entry with what it names. Damaged ones stay: ``verify`` is to find them."""
    found = []
    for key in cache.entries.keys():  # noqa: SIM118 - no mapping
        try:
            status = cache.entries.path(key).stat()
            data = cache.entries.look(key)
        except OSError:
            continue
        if data is None:
            continue
        objects: list[str] = []
        if len(data) == _DIGEST:
            objects = [data.decode()]
        else:
            with contextlib.suppress(ValueError, RecursionError, KeyError, TypeError):
                objects = [file["sha256"] for file in json.loads(data)["files"]]
        found.append(_Used(key, status.st_mtime, frozenset(objects), status.st_size))
    return found


def _sizes(cache: Cache) -> dict[str, int]:
    sizes = {}
    for digest in cache.objects.digests():
        with contextlib.suppress(OSError):
            sizes[digest] = cache.objects.path(digest).stat().st_size
    return sizes


def _age(cache: Cache, digest: str, now: float) -> float:
    try:
        return now - cache.objects.path(digest).stat().st_mtime
    except OSError:
        return 0.0


def _remove_old(directory: Path, age: float, pattern: str = "*") -> None:
    before = time.time() - age
    for path in directory.rglob(pattern):
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()
