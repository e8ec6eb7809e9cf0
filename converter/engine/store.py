"""A store that machines without a common file system share: a path or any URL that fsspec knows.

It is laid out as the cache (``objects/``, ``entries/``) and holds copies of its files: what a
worker has made goes there, and the client takes it into its own cache. Everything that is read is
checked against its name or its own digest, as in the cache; what does not check is removed, so
that the next one who has it puts it there again.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from converter.engine.cache.digests import Digests
from converter.engine.cache.objects import BadObject
from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.origin import named_by
from converter.errors import InputError, WorkerError
from converter.model.artefacts import sha256_of
from converter.model.task import Task
from converter.model.wording import without_password

_T = TypeVar("_T")

#: Kinds of store that have no directories: to make one would make a bucket, and to rename is to
#: copy. Nobody sees an object before all of it is there.
_OBJECT_STORES = frozenset(
    {"abfs", "abfss", "az", "cos", "gcs", "gs", "obs", "oci", "oss", "s3", "s3a", "tos"}
)

_LOCAL = frozenset({"file", "local"})

#: Seconds for which a server is tried again: one that restarts costs no model.
_PATIENCE = 30.0

#: Seconds between two tries.
_PAUSE = 2.0

#: What another try does not change.
_FINAL = (
    *(FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError),
    *(PermissionError, ValueError, TypeError, NotImplementedError),
)

#: Seconds in which a store has to show that it can be used.
_ANSWER = 60.0


class Store:
    """The store at ``url``; opening one reaches for nothing, but for those that connect at once.

    ``url`` means the same in every process afterwards: a path is absolute.
    """

    def __init__(self, url: str) -> None:
        """Raises ``InputError``: fsspec does not know it, or would take it for a path."""
        shown = without_password(url)
        if told := _mistaken(url):
            raise InputError(f"{shown or repr(url)} is no store: {told[0]}", hint=told[1])
        try:
            from fsspec.core import url_to_fs

            self._open = url_to_fs
            self._fs, self._root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{shown} is no store: {error}",
                hint="give a path or a URL of fsspec, and install what its kind needs (s3fs, ...)",
            ) from error
        except Exception as error:  # ftp:// connects; each kind has errors of its own
            raise InputError(
                f"the store {shown} cannot be reached: {without_password(str(error))}",
                hint="check the address and the credentials",
            ) from error
        kinds = {self._fs.protocol} if isinstance(self._fs.protocol, str) else {*self._fs.protocol}
        self._flat = not kinds.isdisjoint(_OBJECT_STORES)
        local = not kinds.isdisjoint(_LOCAL)
        self._patience = 0.0 if local else _PATIENCE
        self.url = f"file://{self._root}" if local else url
        #: How messages name it.
        self.shown = self._root if local else shown

    def check(self, sample: str | None = None) -> None:
        """Write something and read it again, and ``sample``, which another process left.

        Raises ``InputError``, also where there is no answer within a minute.
        """
        failed: list[Exception] = []

        def check() -> None:
            try:
                if sample is not None and self._size(self._at(sample)) is None:
                    raise OSError("what the command has put there is not seen here")
                self.remove(self.leave_sample())
            except Exception as error:  # noqa: BLE001 - each kind of store has its own
                failed.append(error)

        # Not to be waited for: s3fs tries a server that hangs for several minutes.
        thread = threading.Thread(target=check, daemon=True)
        thread.start()
        thread.join(_ANSWER)
        if thread.is_alive():
            failed.append(TimeoutError(f"no answer in {_ANSWER:.0f} s"))
        if failed:
            raise self._unusable(failed[0]) from failed[0]

    def _unusable(self, error: Exception) -> InputError:
        return InputError(
            f"the store {self.shown} cannot be used: {without_password(str(error))}",
            hint="check the address, the credentials and the permissions",
        )

    def leave_sample(self) -> str:
        """Write a small file and read it; its name. Raises whatever this kind of store raises."""
        name, data = f"check-{secrets.token_hex(8)}", b"paddle2om"
        with tempfile.TemporaryDirectory(prefix="paddle2om-") as directory:
            file = Path(directory) / "file"
            file.write_bytes(data)
            self._put(self._at(name), file, replace=True)
            file.unlink()
            self._fs.get_file(self._at(name), str(file))
            if file.read_bytes() != data:
                raise OSError("what was written is not what is read")
        return name

    @contextmanager
    def sample(self) -> Iterator[str]:
        """The name of a small file that is there meanwhile. Raises ``InputError``."""
        try:
            name = self.leave_sample()
        except Exception as error:  # each kind of store has errors of its own
            raise self._unusable(error) from error
        try:
            yield name
        finally:
            self._discard(name)

    def remove(self, name: str) -> None:
        """Remove one file. Raises whatever this kind of store raises."""
        self._fs.rm_file(self._at(name))

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
        name = f"objects/{digest}"
        if not self._get(name, temporary):
            return
        if sha256_of(temporary) == digest:
            cache.objects.put(temporary)
        else:
            self._discard(name)

    def _discard(self, name: str) -> None:
        """Remove what is damaged: ``put`` leaves what is there as it is."""
        with suppress(Exception):
            self.remove(name)

    def put_files(self, files: Mapping[str, Path], digests: Digests) -> dict[str, str]:
        """Copy files into the store; their digests by name. Raises ``WorkerError``."""
        found = {name: digests.of(path) for name, path in files.items()}
        for name, digest in found.items():
            self.put(f"objects/{digest}", files[name])
        return found

    def get_files(self, digests: Mapping[str, str], directory: Path) -> None:
        """Write files by name into ``directory``; ``WorkerError`` for those damaged or gone."""
        lost = []
        for name, digest in digests.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not self._get(f"objects/{digest}", target) or sha256_of(target) != digest:
                self._discard(f"objects/{digest}")
                lost.append(name)
        if lost:
            told = f"the store {self.shown} lost or damaged {', '.join(lost)}"
            raise WorkerError(told, hint="run the build again")

    def put(self, name: str, source: Path, *, replace: bool = False) -> None:
        """Copy one file, unless it is there; readers see all of it or nothing.

        Raises ``WorkerError``.
        """
        self._reach(lambda: self._put(self._at(name), source, replace=replace))

    def _put(self, target: str, source: Path, *, replace: bool) -> None:
        directory = target.rpartition("/")[0]
        if not self._flat:
            self._fs.makedirs(directory, exist_ok=True)
        if not replace and self._size(target) == source.stat().st_size:
            return
        if self._flat:
            self._fs.put_file(str(source), target)
            return
        temporary = f"{target}.tmp-{secrets.token_hex(4)}"
        try:
            self._fs.put_file(str(source), temporary)
            self._fs.mv(temporary, target)
        except Exception:
            with suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    def _size(self, target: str) -> int | None:
        """The size of a file as it is now; None where there is none."""
        self._fs.invalidate_cache()  # of listings: others write there, too
        try:
            size: int | None = self._fs.info(target)["size"]
        except FileNotFoundError:
            return None
        return size

    def _get(self, name: str, target: Path) -> bool:
        """Write one file to ``target``; False where the store does not have it."""

        def get() -> bool:
            try:
                self._fs.get_file(self._at(name), str(target))
            except FileNotFoundError:
                return False
            except Exception:  # ftp:// has errors of its own for this
                if self._size(self._at(name)) is None:
                    return False
                raise
            return True

        return self._reach(get)

    def _reach(self, work: Callable[[], _T]) -> _T:
        """Do ``work``, several times if need be; a ``WorkerError`` that names the store if not."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return work()
            except Exception as error:  # each kind of store has errors of its own
                if isinstance(error, _FINAL) or time.monotonic() >= end:
                    raise WorkerError(
                        f"the store {self.shown} failed: {without_password(str(error))}",
                        hint="run the build again",
                    ) from error
            time.sleep(_PAUSE)
            with suppress(Exception):  # ftp:// keeps the connection that broke
                self._fs, _ = self._open(self.url, skip_instance_cache=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


def _mistaken(url: str) -> tuple[str, str] | None:
    """Why a text means another place than fsspec would take it for, with a hint."""
    if not url.strip():
        return "nothing is given", "give a path or a URL of fsspec, such as s3://bucket/prefix"
    scheme, colon, rest = url.partition(":")
    if scheme in _LOCAL and rest.startswith("//") and not rest.startswith("///"):
        path = rest.lstrip("/")
        return "it has two slashes", f"an absolute path has three: {scheme}:///{path}"
    meant = rest.startswith(("//", ":")) or (scheme in _LOCAL and rest.startswith("/"))
    if colon and not meant and re.fullmatch("[A-Za-z][A-Za-z0-9+.-]+", scheme):
        right = f"{scheme}://{rest.lstrip('/')}"
        return "it is neither a URL nor plainly a path", f"write {right}, or ./{url} for a path"
    return None


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
