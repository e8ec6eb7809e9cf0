"""Files by the digest of their bytes. What is read is checked; what does not check is removed.

An object is written under a temporary name and renamed, so that readers see all of it or nothing.
It is not flushed to the disk: after a power cut it may be short, and then it does not check.

A file goes in and comes out as a copy, or as a reflink where the file system makes those (Btrfs,
XFS): never as a hard link. Who edits an output in place would otherwise edit the object with it,
and every other output that was taken from it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Bytes read and hashed at a time.
_CHUNK = 1 << 20

#: The ioctl that makes a file share another's blocks until one of them is written to (linux/fs.h).
_FICLONE = 0x40049409

#: How temporary files are called; ``gc`` removes those that a killed process left.
TEMPORARY = ".tmp-"


#: What may be wrong with a thing that is kept.
MISSING, DAMAGED, OTHER_VERSION = "is missing", "was damaged", "is of another version"


class BadObject(Exception):
    """A thing that is not there, or not what its name says; what there was of it has been removed.

    ``what`` it is, and ``how`` it was found: ``MISSING``, ``DAMAGED`` or ``OTHER_VERSION``.
    """

    def __init__(self, what: str, how: str) -> None:
        super().__init__(f"{what} {how}")
        self.what = what
        self.how = how


class ObjectStore:
    """The objects below one directory, which several processes may use at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the object with this digest lies, or would."""
        return self.root / digest[:2] / digest[2:]

    def put(self, source: Path) -> str:
        """Take in a copy of a file; its digest. Raises ``OSError`` (disk full, permissions)."""
        with source.open("rb") as file, self._temporary() as temporary:
            with temporary.open("wb") as target:
                cloned = _clone(file.fileno(), target.fileno())
                digest = _copy(file, None if cloned else target)
            self._keep(temporary, digest)
        return digest

    def put_bytes(self, data: bytes) -> str:
        """Take in some bytes; their digest. Raises ``OSError``."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.path(digest).is_file():
            with self._temporary() as temporary:
                temporary.write_bytes(data)
                self._keep(temporary, digest)
        return digest

    def fetch(self, digest: str, target: Path) -> None:
        """Write the object to ``target``, which must not exist.

        Raises ``BadObject``, and ``OSError`` where ``target`` cannot be written.
        """
        with self._open(digest) as file:
            with target.open("xb") as made:
                cloned = _clone(file.fileno(), made.fileno())
                found = _copy(file, None if cloned else made)
            if found != digest:
                target.unlink()
                raise self._bad(digest)

    def read(self, digest: str) -> bytes:
        """The bytes of an object. Raises ``BadObject``."""
        with self._open(digest) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._bad(digest)
        return data

    def is_sound(self, digest: str) -> bool:
        """Whether the object is there and is what its name says. Removes nothing."""
        try:
            return self.check(digest)
        except OSError:
            return False

    def check(self, digest: str) -> bool:
        """Whether the object is what its name says; a sector that cannot be read is damage.

        Removes nothing. Raises ``OSError`` for one that is not there or that cannot be looked at.
        """
        with self.path(digest).open("rb") as file:
            try:
                return _copy(file, None) == digest
            except OSError as error:
                if error.errno == errno.EIO:
                    return False
                raise

    def digests(self) -> Iterator[str]:
        """The digests of all objects."""
        for directory in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(directory.iterdir()):
                if not path.name.startswith(TEMPORARY):
                    yield directory.name + path.name

    @contextlib.contextmanager
    def _open(self, digest: str) -> Iterator[BinaryIO]:
        try:
            file = self.path(digest).open("rb")
        except OSError as error:
            raise BadObject(f"object {digest[:12]}", MISSING) from error
        try:
            with file:
                yield file
        except OSError as error:
            if error.errno == errno.EIO:
                raise self._bad(digest) from error
            raise

    def _bad(self, digest: str) -> BadObject:
        with contextlib.suppress(OSError):
            self.path(digest).unlink()
        return BadObject(f"object {digest[:12]}", DAMAGED)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def _keep(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o444)
        temporary.replace(target)


def _clone(source: int, target: int) -> bool:
    """Make ``target`` share the blocks of ``source``; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy(source: BinaryIO, target: BinaryIO | None) -> str:
    """Hash ``source`` and write it to ``target``, if there is one; the digest."""
    digest = hashlib.sha256()
    while data := source.read(_CHUNK):
        digest.update(data)
        if target is not None:
            target.write(data)
    return digest.hexdigest()
