"""A store that machines without a common file system share: a path or any URL that fsspec knows.

It is laid out as the cache (``objects/``, ``entries/``) and holds copies of its files: what a
worker has made goes there, and the client takes it into its own cache. Everything that is read is
checked against its name or its own digest, as in the cache.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from converter.engine.cache.digests import Digests
from converter.engine.cache.objects import BadObject
from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.origin import named_by
from converter.errors import InputError, WorkerError
from converter.model.task import Task


class Store:
    """The store at ``url``; opening it reaches for nothing."""

    def __init__(self, url: str) -> None:
        """Raises ``InputError`` for a URL that fsspec does not know."""
        try:
            from fsspec.core import url_to_fs

            self._fs, self._root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{url} is no store: {error}",
                hint="give a path or a URL of fsspec, and install what its kind needs (s3fs, ...)",
            ) from error
        self.url = url

    def check(self) -> None:
        """Write something and read it again. Raises ``InputError``."""
        name, data = f"check-{secrets.token_hex(8)}", b"paddle2om"
        try:
            self._write(name, data)
            if self._fs.cat_file(self._at(name)) != data:
                raise OSError("what was written is not what is read")
            self._fs.rm_file(self._at(name))
        except Exception as error:  # each kind of store has errors of its own
            raise InputError(
                f"the store {self.url} cannot be used: {error}",
                hint="check the address, the credentials and the permissions",
            ) from error

    def push(self, cache: Cache, keys: Iterable[str]) -> None:
        """Copy the entries with these keys, and the objects that they name, from ``cache``."""
        for key in keys:
            try:
                entry = cache.entries.read(key)
                if entry is None:
                    continue
                for file in entry.files:
                    self.put(f"objects/{file.sha256}", cache.objects.path(file.sha256))
                self.put(f"entries/{key}", cache.entries.path(key), replace=True)
            except BadObject:
                continue

    def pull(self, cache: Cache, keys: Iterable[str]) -> None:
        """The other way; what the store does not have, or has damaged, is left out."""
        for key in keys:
            text, _, data = self._read(f"entries/{key}").partition(b"\n")
            if not data or hashlib.sha256(data).hexdigest().encode() != text:
                continue
            cache.entries.write_bytes(key, data)
            with suppress(BadObject):
                entry = cache.entries.read(key)
                for file in entry.files if entry else ():
                    content = self._read(f"objects/{file.sha256}")
                    if hashlib.sha256(content).hexdigest() == file.sha256:
                        cache.objects.put_bytes(content)

    def put_files(self, files: Mapping[str, Path], digests: Digests) -> dict[str, str]:
        """Copy files into the store; their digests by name."""
        found = {name: digests.of(path) for name, path in files.items()}
        for name, digest in found.items():
            self.put(f"objects/{digest}", files[name])
        return found

    def get_files(self, digests: Mapping[str, str], directory: Path) -> None:
        """Write files by name into ``directory``; ``WorkerError`` for one that is damaged."""
        for name, digest in digests.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = self._read(f"objects/{digest}")
            if hashlib.sha256(content).hexdigest() != digest:
                raise WorkerError(
                    f"the store {self.url} lost or damaged {name}", hint="run the build again"
                )
            target.write_bytes(content)

    def put(self, name: str, source: Path, *, replace: bool = False) -> None:
        """Copy one file, unless it is there."""
        if replace or not self._fs.exists(self._at(name)):
            self._write(name, source.read_bytes())

    def _read(self, name: str) -> bytes:
        try:
            data: bytes = self._fs.cat_file(self._at(name))
        except FileNotFoundError:
            return b""
        return data

    def _write(self, name: str, data: bytes) -> None:
        """Written under another name first: readers see all of it or nothing."""
        temporary = self._at(f"{name}.tmp-{secrets.token_hex(4)}")
        self._fs.makedirs(temporary.rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(temporary, data)
        self._fs.mv(temporary, self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


def parcel(task: Task, store: Store, digests: Digests) -> dict[str, Any]:
    """What a worker needs that sees none of our files: the task, and its model in the store.

    Raises ``InputError`` for a task without keys, or with options that name other files.
    """
    if task.cache is None:
        raise InputError(
            f"{task.name}: with --store, results travel through the cache",
            hint="leave out --no-cache; a model that cannot be read has no keys either",
        )
    named = named_by(task.options)
    if named:
        raise InputError(
            f"{task.name}: --store takes models only, and an option names {named[0]}",
            hint="use a file system that all machines share, and no --store",
        )
    source = Path(task.source)
    directory = source.parent if source.is_file() else source
    files = {str(path.relative_to(directory)): path for path in source_files(source)}
    return {
        "task": task.model_dump(mode="json"),
        "store": store.url,
        "files": store.put_files(files, digests),
        "program": source.name if source.is_file() else None,
        "directory": directory.name,
        "called": str(directory),
    }
