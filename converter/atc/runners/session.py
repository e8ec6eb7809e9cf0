"""Talks to ``beside_atc`` over a pipe: the same whether that runs here or far away."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from converter.atc import environment as places
from converter.atc.runners.contract import AtcJob, AtcRun, LogSink
from converter.errors import InputError, Paddle2omError, StageError
from converter.model.artefacts import sha256_of
from converter.model.wording import last_line, shorten

#: Reads the program from standard input: no text of ours, and no path, is quoted for a shell.
_BOOT = "import sys;exec(compile(sys.stdin.buffer.read({}),'beside_atc','exec'))"

#: Seconds the other side gets to clean up after it was told to stop, or after its time.
_GRACE = 15.0

#: How much of atc's words is kept for explaining a failure; with --log=debug there is no end to it.
_WORDS_KEPT = 4 << 20


@dataclass(frozen=True)
class Transport:
    """How to start Python beside atc.

    ``argv(code)`` is a command that runs ``code`` with Python 3 and is connected with its standard
    input and output. ``explain`` turns its return code and last words into an error, for when it
    ended before Python did anything. ``local`` shares our disk. ``end`` is a command that ends
    what ``argv`` left behind, should it not end by itself.
    """

    where: str
    argv: Callable[[str], tuple[str, ...]]
    explain: Callable[[int, str], Paddle2omError]
    local: bool = False
    end: tuple[str, ...] | None = None


def program_text() -> bytes:
    """The source of ``beside_atc``, as it travels."""
    return Path(__file__).with_name("beside_atc.py").read_bytes()


def run_session(transport: Transport, job: AtcJob, log: LogSink) -> AtcRun:
    """Carry out ``job`` over ``transport``; see ``Runner.run``."""
    job.directory.mkdir()
    session = _Session(transport, job, log)
    try:
        return session.run()
    finally:
        session.close()


class _Session:
    """One connection and what has come over it."""

    def __init__(self, transport: Transport, job: AtcJob, log: LogSink) -> None:
        self._transport = transport
        self._job = job
        self._deadline = time.monotonic() + job.timeout
        self._marker = secrets.token_hex(16)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close()
        self._program = program_text()
        argv = transport.argv(_BOOT.format(len(self._program)))
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for us: it has to clean up first
            )
        except OSError as error:
            self._errors.close()
            raise InputError(
                f"{argv[0]} cannot be started: {error.strerror}",
                hint=f"install {argv[0]}, or check PATH",
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        self._guard = threading.Timer(job.timeout + _GRACE, self._kill)
        self._guard.daemon = True
        self._guard.start()
        self._log = _Lines(log)
        self._files: list[Path] = []
        self._ended: dict[str, Any] | None = None
        self._started: dict[str, Any] = {}

    def run(self) -> AtcRun:
        """Send the job and take the answers until there are no more."""
        with contextlib.suppress(BrokenPipeError):  # its answers say why
            self._send()
        done = False
        if self._greeted():
            # A connection that ends does so anywhere, in the middle of a line too.
            while not done and (line := self._from.readline()).endswith(b"\n"):
                done = self._take(json.loads(line))
        self._log.flush()
        if not done:
            raise self._lost()
        assert self._ended is not None
        return AtcRun(
            directory=self._job.directory,
            returncode=self._ended["status"],
            words=self._log.words,
            files=tuple(self._results()),
            where=self._transport.where,
            program=self._started["program"],
            toolkit=self._started["toolkit"],
            free_bytes=self._ended["free"],
        )

    def close(self) -> None:
        """End the other side, which cleans up when its standard input closes."""
        with contextlib.suppress(BrokenPipeError):
            self._to.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._guard.cancel()
        self._guard.join()
        self._from.close()
        self._errors.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._transport.end:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    self._transport.end, capture_output=True, timeout=_GRACE, check=False
                )

    def _send(self) -> None:
        job = self._job
        request: dict[str, Any] = {
            "argv": job.argv,
            "marker": self._marker,
            "grace": _GRACE,
            "environment": dict(job.environment),
            "set_env_files": [str(path) for path in places.SET_ENV_FILES],
            "driver": str(places.DRIVER_LIBRARIES),
        }
        if self._transport.local:
            for name, path in job.files.items():
                shutil.copyfile(path, job.directory / name)
            request["directory"] = str(job.directory.absolute())
        else:
            request["files"] = [
                {"name": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
                for name, path in job.files.items()
            ]
        request["timeout"] = max(0.0, self._deadline - time.monotonic())
        self._to.write(self._program + json.dumps(request).encode() + b"\n")
        if not self._transport.local:
            for path in job.files.values():
                with path.open("rb") as file:
                    shutil.copyfileobj(file, self._to)
        self._to.flush()

    def _greeted(self) -> bool:
        """Skip what a login shell prints until the other side's first line has come."""
        marker = self._marker.encode()
        for line in self._from:
            if line.strip() == marker:
                return True
            if line.strip():
                self._log.add(line.decode(errors="replace"))
        return False

    def _take(self, answer: dict[str, Any]) -> bool:
        """Act on one answer; whether it was the last."""
        event = answer["event"]
        if event == "log":
            self._log.add(answer["text"])
        elif event == "started":
            self._started = answer
        elif event == "exit":
            self._ended = answer
        elif event == "file":
            self._fetch(answer)
        elif event == "left":
            self._log.note(f"{answer['name']} ({answer['bytes']} bytes) was not copied back")
        elif event == "error":
            raise self._refusal(answer["kind"], answer["message"])
        return bool(event == "done")

    def _fetch(self, answer: dict[str, Any]) -> None:
        """Write one file under its name, once all of it is here and is what was sent."""
        name = PurePosixPath(answer["name"])
        if name.is_absolute() or ".." in name.parts or str(name) in self._job.files:
            raise StageError(
                f"{self._transport.where} sent back a file called {answer['name']!r}",
                hint="this should not happen; do not trust that host",
            )
        target = self._job.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:200]}.part")
        digest, left = hashlib.sha256(), int(answer["bytes"])
        try:
            with part.open("wb") as file:
                while left and (chunk := self._from.read(min(left, 1 << 16))):
                    file.write(chunk)
                    digest.update(chunk)
                    left -= len(chunk)
            if left:
                raise self._lost()
            if digest.hexdigest() != answer["sha256"]:
                raise StageError(
                    f"{name} did not arrive from {self._transport.where} as it was sent",
                    hint="run the command again; if it happens again, check that host's disk",
                )
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        self._files.append(target)

    def _results(self) -> list[Path]:
        if not self._transport.local:
            return self._files
        found = self._job.directory.rglob("*")
        inputs = {self._job.directory / name for name in self._job.files}
        return sorted(p for p in found if p.is_file() and not p.is_symlink() and p not in inputs)

    def _refusal(self, kind: str, message: str) -> Exception:
        where = self._transport.where
        if kind == "no-atc":
            return InputError(
                f"atc cannot be started on {where}: {message}",
                hint="install the CANN toolkit there; its set_env.sh is looked for in "
                + " and ".join(str(path.parent) for path in places.SET_ENV_FILES),
            )
        if kind == "cannot-start":
            return InputError(f"atc cannot be started on {where}: {message}", hint="check PATH")
        if kind == "disk-full" and self._transport.local:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._job.directory))
        if kind == "disk-full":
            return StageError(
                f"the disk of {where} is full: {message}",
                hint="free some space in its temporary directory, or set TMPDIR there",
            )
        return StageError(f"{where}: {message}", hint="run the command again")

    def _lost(self) -> Paddle2omError:
        """Why the answers ended before the last one."""
        if time.monotonic() >= self._deadline:
            return StageError(
                f"{self._transport.where} did not answer within {self._job.timeout:.0f} s",
                hint="raise --timeout, or look at that host and the connection to it",
            )
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace")
        if words.strip():
            self._log.note(words.strip())
        if self._started:
            return StageError(
                f"the connection to {self._transport.where} was lost: "
                f"{shorten(last_line(words)) or f'code {code}'}",
                hint="run the command again",
            )
        return self._transport.explain(code, words)


class _Lines:
    """Cuts what comes into lines for the sink, and keeps the end of it."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._rest = ""
        self._kept: deque[str] = deque()
        self._size = 0

    def add(self, text: str) -> None:
        """Take words as they come."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._keep(line)
            self._sink(line)

    def note(self, text: str) -> None:
        """Say something that is not atc's."""
        for line in text.splitlines():
            self._sink(line)

    def flush(self) -> None:
        """Pass on a last line that has no end."""
        if self._rest:
            self.add("\n")

    def _keep(self, line: str) -> None:
        self._kept.append(line)
        self._size += len(line)
        while self._size > _WORDS_KEPT:
            self._size -= len(self._kept.popleft())

    @property
    def words(self) -> str:
        """What was kept, as one text."""
        return "".join(f"{line}\n" for line in self._kept)
