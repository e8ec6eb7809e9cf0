"""A store that machines without a common file system share: a path or any URL that fsspec knows.

It is laid out as the cache (``objects/``, ``entries/``) and holds copies of its files: what a
worker has made goes there, and the client takes it into its own cache. Everything that is read is
checked against its name or its own digest, as in the cache.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from converter.engine.cache.digests import Digests
from converter.engine.cache.objects import BadObject
from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.origin import named_by
from converter.errors import InputError, WorkerError
from converter.model.artefacts import sha256_of
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
            self._fs.makedirs(self._root, exist_ok=True)
            self._fs.pipe_file(self._at(name), data)
            if self._fs.cat_file(self._at(name)) != data:
                raise OSError("what was written is not what is read")
            self._fs.rm_file(self._at(name))
        except Exception as error:  # each kind of store has errors of its own
            raise InputError(
                f"the store {self.url} cannot be used: {error}",
                hint="check the address, the credentials and the permissions",
            ) from error

    def push(self, cache: Cache, keys: Iterable[str]) -> None:
        """Copy the entries with these keys, and the objects that they name, from ``cache``.

        What ``cache`` does not have, or has damaged, is left out.
        """
        for key in keys:
            try:
                entry = cache.entries.read(key)
            except BadObject:
                continue
            if entry is not None and all(cache.objects.is_sound(f.sha256) for f in entry.files):
                for file in entry.files:
                    self.put(f"objects/{file.sha256}", cache.objects.path(file.sha256))
                self.put(f"entries/{key}", cache.entries.path(key), replace=True)

    def pull(self, cache: Cache, keys: Iterable[str]) -> None:
        """The other way; what the store does not have, or has damaged, is left out."""
        with tempfile.TemporaryDirectory(prefix="paddle2om-") as name:
            temporary = Path(name) / "file"
            for key in keys:
                if not self._get(f"entries/{key}", temporary):
                    continue
                text, _, data = temporary.read_bytes().partition(b"\n")
                if not data or hashlib.sha256(data).hexdigest().encode() != text:
                    continue
                cache.entries.write_bytes(key, data)
                with suppress(BadObject):
                    entry = cache.entries.read(key)
                    for file in entry.files if entry else ():
                        self._pull_object(cache, file.sha256, temporary)

    def _pull_object(self, cache: Cache, digest: str, temporary: Path) -> None:
        if cache.objects.is_sound(digest):
            return
        if self._get(f"objects/{digest}", temporary) and sha256_of(temporary) == digest:
            cache.objects.put(temporary)

    def put_files(self, files: Mapping[str, Path], digests: Digests) -> dict[str, str]:
        """Copy files into the store; their digests by name. Raises ``WorkerError``."""
        found = {name: digests.of(path) for name, path in files.items()}
        for name, digest in found.items():
            self.put(f"objects/{digest}", files[name])
        return found

    def get_files(self, digests: Mapping[str, str], directory: Path) -> None:
        """Write files by name into ``directory``; ``WorkerError`` for one that is damaged."""
        for name, digest in digests.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not self._get(f"objects/{digest}", target) or sha256_of(target) != digest:
                with suppress(WorkerError), self._reached():  # the next build writes it again
                    self._fs.rm_file(self._at(f"objects/{digest}"))
                raise WorkerError(
                    f"the store {self.url} lost or damaged {name}", hint="run the build again"
                )

    def put(self, name: str, source: Path, *, replace: bool = False) -> None:
        """Copy one file, unless it is there; readers see all of it or nothing."""
        with self._reached():
            target = self._at(name)
            if not replace and self._fs.exists(target):
                return
            temporary = f"{target}.tmp-{secrets.token_hex(4)}"
            self._fs.makedirs(temporary.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(source), temporary)
            self._fs.mv(temporary, target)

    def _get(self, name: str, target: Path) -> bool:
        """Write one file to ``target``; False where the store does not have it."""
        with self._reached():
            try:
                self._fs.get_file(self._at(name), str(target))
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What goes wrong inside is a ``WorkerError`` that names the store."""
        try:
            yield
        except Exception as error:  # each kind of store has errors of its own
            raise WorkerError(
                f"the store {self.url} failed: {error}", hint="run the build again"
            ) from error

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


def check_parcels(tasks: Iterable[Task]) -> None:
    """Raises ``InputError`` for tasks with options that name other files than the model's."""
    for task in tasks:
        if named := named_by(task.options):
            raise InputError(
                f"{task.name}: --store takes models only, and an option names {named[0]}",
                hint="use a file system that all machines share, and no --store",
            )


def parcel(task: Task, store: Store, digests: Digests) -> dict[str, Any]:
    """What a worker needs that sees none of our files: the task, and its model in the store.

    The task has keys (``task.cache``): its results travel by them. Raises ``WorkerError``, and
    ``OSError`` for a model that cannot be read.
    """
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
