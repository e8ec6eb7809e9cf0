"""What is kept of a stage that was run: its result, and the files it made by their digests.

An entry is a file with the digest of its text in the first line. One that does not check is
removed and counts as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from pydantic import ValidationError

from converter.engine.cache.objects import DAMAGED, OTHER_VERSION, BadObject
from converter.model.artefacts import write_quickly
from converter.model.result import Record, StageResult


class KeptFile(Record):
    """A file of a stage: its name when published, its place in the work directory, its content."""

    name: str
    path: str
    sha256: str
    bytes: int
    executable: bool = False


class Entry(Record):
    """One stage's result.

    ``onnx`` is the place in the work directory of the ONNX file that later stages work on, where
    the stage made one. ``source`` is the model's path, which the texts of a failure name.
    ``foreseen`` is True for a failure that is told before the stages in between are run.
    ``lasting`` is False for a result that counts for the run which made it only, on its way there.
    ``printed`` is what came to the log while it was made.
    """

    stage: str
    result: StageResult
    files: tuple[KeptFile, ...] = ()
    onnx: str | None = None
    source: str = ""
    foreseen: bool = False
    lasting: bool = True
    printed: str = ""


class Entries:
    """The entries below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: str) -> Path:
        """Where the entry with this key lies, or would."""
        return self._root / key[:2] / key[2:]

    def read(self, key: str) -> Entry | None:
        """The entry, None when there is none.

        Raises ``BadObject`` for one that was damaged, or has the form of another version.
        """
        data = self.read_bytes(key)
        if data is None:
            return None
        try:
            return Entry.model_validate_json(data)
        except ValidationError as error:
            self.remove(key)
            raise BadObject("the cached result", OTHER_VERSION) from error

    def read_bytes(self, key: str) -> bytes | None:
        """The text of an entry, checked. Raises ``BadObject``."""
        try:
            data = self.look(key)
        except OSError:
            return None
        if data is None:
            self.remove(key)
            raise BadObject("the cached result", DAMAGED)
        return data

    def look(self, key: str) -> bytes | None:
        """The text of an entry, None for one that does not check. Removes nothing.

        Raises ``OSError``.
        """
        found, _, data = self.path(key).read_bytes().partition(b"\n")
        return data if hashlib.sha256(data).hexdigest().encode() == found else None

    def write(self, key: str, entry: Entry) -> None:
        """Keep an entry; the files it names are kept already. Raises ``OSError``."""
        self.write_bytes(key, entry.model_dump_json().encode())

    def write_bytes(self, key: str, data: bytes) -> None:
        """Keep a text as an entry. Raises ``OSError``."""
        digest = hashlib.sha256(data).hexdigest().encode()
        write_quickly(self.path(key), digest + b"\n" + data)

    def remove(self, key: str) -> None:
        """Forget an entry."""
        with contextlib.suppress(OSError):
            self.path(key).unlink()

    def keys(self) -> list[str]:
        """The keys of all entries."""
        return [
            directory.name + path.name
            for directory in sorted(self._root.glob("[0-9a-f][0-9a-f]"))
            for path in sorted(directory.iterdir())
            if not path.name.startswith(".")
        ]
