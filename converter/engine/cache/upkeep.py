"""Looks after a cache: what is in it, what may go, and whether all of it is sound."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from converter.engine.cache.entries import Entry
from converter.engine.cache.locks import remove_unheld
from converter.engine.cache.objects import DAMAGED, MISSING, OTHER_VERSION, TEMPORARY
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
    """What a cache holds; ``oldest`` and ``newest`` are seconds since an entry was last used.

    ``damaged`` entries are not among ``entries``, and their bytes are among ``bytes``.
    """

    directory: str
    entries: int
    damaged: int
    objects: int
    bytes: int
    oldest: float | None
    newest: float | None


class Collected(Record):
    """What ``gc`` removed, or would remove. ``kept_bytes`` are what is left, damaged or not."""

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
    ``refused`` are files that stay: why the system let nobody read or remove them, by path.
    """

    directory: str
    entries: int
    objects: int
    damaged_entries: tuple[str, ...]
    damaged_objects: tuple[str, ...]
    incomplete_entries: tuple[str, ...]
    outdated_entries: tuple[str, ...]
    refused: dict[str, str]


@dataclass(frozen=True)
class _Used:
    """An entry: when it was last used, the objects it names, its own bytes, and whether it checks.

    A damaged one names nothing.
    """

    key: str
    when: float
    objects: frozenset[str]
    bytes: int
    sound: bool


def info(cache: Cache) -> CacheInfo:
    """Count what there is."""
    used = _entries(cache)
    sizes = _sizes(cache)
    now = time.time()
    ages = [now - each.when for each in used if each.sound]
    return CacheInfo(
        directory=str(cache.root),
        entries=len(ages),
        damaged=len(used) - len(ages),
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
    total, full, removed = 0, False, []
    for each in sorted(_entries(cache), key=lambda entry: -entry.when):
        more = each.bytes + sum(sizes.get(digest, 0) for digest in each.objects - kept)
        too_old = max_age is not None and now - each.when > max_age
        # Nothing stays that was used before something that goes, however small it is.
        full = full or (max_bytes is not None and total + more > max_bytes)
        if too_old or full:
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
        for lock in cache.lock_directory.glob("*"):
            with contextlib.suppress(OSError):
                remove_unheld(lock)
    of_files = sum(sizes[digest] for digest in unnamed)
    waiting = sum(sizes.values()) - of_files - sum(sizes.get(digest, 0) for digest in kept)
    return Collected(
        directory=str(cache.root),
        dry_run=dry_run,
        entries=len(removed),
        objects=len(unnamed),
        bytes=of_files + sum(each.bytes for each in removed),
        kept_bytes=total + waiting,
    )


def verify(cache: Cache) -> Verified:
    """Read everything and remove what is of no use.

    What ``collect`` or a build removes meanwhile is neither counted nor damaged.
    """
    sound, damaged = 0, []
    refused: dict[str, str] = {}
    for digest in cache.objects.digests():
        path = cache.objects.path(digest)
        try:
            if cache.objects.check(digest):
                sound += 1
                continue
            path.unlink(missing_ok=True)
            damaged.append(digest)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused[str(path)] = error.strerror or str(error)
    found: dict[str | None, list[str]] = {None: [], DAMAGED: [], MISSING: [], OTHER_VERSION: []}
    for key in cache.entries.keys():  # noqa: SIM118 - no mapping
        try:
            found[_fault(cache, key)].append(key)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused[str(cache.entries.path(key))] = error.strerror or str(error)
    return Verified(
        directory=str(cache.root),
        entries=sum(map(len, found.values())),
        objects=sound + len(damaged),
        damaged_entries=tuple(found[DAMAGED]),
        damaged_objects=tuple(damaged),
        incomplete_entries=tuple(found[MISSING]),
        outdated_entries=tuple(found[OTHER_VERSION]),
        refused=refused,
    )


def _fault(cache: Cache, key: str) -> str | None:
    """What is wrong with an entry, which has been removed then. Raises ``OSError``."""
    data = cache.entries.look(key)
    if data is None:
        fault = DAMAGED
    else:
        try:
            named = _named_by(data)
        except ValidationError:
            fault = OTHER_VERSION
        else:
            if all(cache.objects.path(digest).is_file() for digest in named):
                return None
            # Who collects removes an entry first, then its files.
            cache.entries.look(key)
            fault = MISSING
    cache.entries.remove(key)
    return fault


def _named_by(data: bytes) -> list[str]:
    """The objects that an entry names. Raises ``ValidationError`` for another version's."""
    if len(data) == _DIGEST:
        return [data.decode(errors="replace")]
    return [file.sha256 for file in Entry.model_validate_json(data).files]


def _entries(cache: Cache) -> list[_Used]:
    """Every entry with what it names. Nothing is removed: ``verify`` is to find damaged ones."""
    found = []
    for key in cache.entries.keys():  # noqa: SIM118 - no mapping
        try:
            status = cache.entries.path(key).stat()
            data = cache.entries.look(key)
        except OSError:
            continue
        objects: list[str] = []
        if data is not None and len(data) == _DIGEST:
            objects = [data.decode()]
        elif data is not None:
            with contextlib.suppress(ValueError, RecursionError, KeyError, TypeError):
                objects = [file["sha256"] for file in json.loads(data)["files"]]
        size, sound = status.st_size, data is not None
        found.append(_Used(key, status.st_mtime, frozenset(objects), size, sound))
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
