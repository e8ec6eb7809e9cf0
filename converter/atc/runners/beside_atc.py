"""The part that runs on atc's host, as a process of its own: here, behind SSH, in a container.

Standard library only and no newer than Python 3.7, for it travels as text to hosts that have what
CANN needs and no paddle2om. It reads one request line on standard input, then the bytes of the
files it names; as long as standard input stays open somebody wants the result. When it closes,
however that came about, atc and everything that atc started are killed and a directory made for the
run is removed. Answers on standard output are lines of JSON, some followed by as many bytes as they
say.

Request: ``argv``, ``marker`` (the first line to answer with), ``timeout`` in seconds,
``environment`` (added to this host's), ``set_env_files`` and ``driver`` (where CANN and its driver
may be), and either ``directory`` (whose files are in place and stay, unless nobody waits) or
``files`` (``name``, ``bytes``, ``sha256`` each; the directory is made here and its results are sent
back).

Answers: ``started``, ``log``, ``exit``, ``file``, ``left``, ``error`` and, as the last, ``done``.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    PathLike = str | os.PathLike[str]

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

#: The toolkit's directory, by the variables that set_env.sh sets.
TOOLKIT_VARIABLES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")

#: Where atc's processes write their logs when this names a directory; ``~/ascend/log`` otherwise.
_LOG_VARIABLE = "ASCEND_PROCESS_LOG_PATH"
_LOG_DIRECTORY = "ascend-log"

#: What a run is for. Other files are sent back up to a size: debug dumps can be huge.
_RESULTS = re.compile(r".*\.(om|om2|exeom)$|weight/|.*_weight_combined$")
_LARGEST_SIDE_FILE = 64 << 20

#: What atc takes in a path (docs/reference/atc-command.md).
_SAFE_PATH = re.compile(r"[a-zA-Z0-9./_-]+\Z")

#: Seconds for processes that were killed to be gone, and for set_env.sh.
_KILL_TIME, _SET_ENV_TIME = 10.0, 60.0

_CHUNK = 1 << 16


class Stopped(Exception):
    """Nobody waits for the result any more."""


class Refused(Exception):
    """The run cannot be: ``kind`` for programs, the message for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def with_toolkit(
    environment: Mapping[str, str], set_env_files: Sequence[PathLike], driver: PathLike
) -> dict[str, str]:
    """``environment`` (left alone) as atc needs it on this host.

    Where atc is not on PATH the first of ``set_env_files`` that brings one is sourced. Where
    ``driver`` is no directory, the toolkit's stand-ins for the driver's libraries,
    ``<toolkit>/<arch>-linux/devlib``, go in front as CANN's manual has it; beside a driver they
    would hide the real libraries.
    """
    environment = dict(environment)
    if find_program("atc", environment) is None:
        for path in set_env_files:
            sourced = _source(path, environment) if os.path.isfile(path) else None
            if sourced is not None and find_program("atc", sourced):
                environment = sourced
                break
    toolkit = next((environment[n] for n in TOOLKIT_VARIABLES if environment.get(n)), None)
    if toolkit is not None and not os.path.isdir(driver):
        devlib = os.path.join(toolkit, platform.machine() + "-linux", "devlib")
        if os.path.isdir(devlib):
            before = environment.get("LD_LIBRARY_PATH")
            environment["LD_LIBRARY_PATH"] = ":".join(filter(None, (devlib, before)))
    return environment


def find_program(name: str, environment: Mapping[str, str]) -> str | None:
    """The path of a program as ``environment`` has it; None when there is none."""
    return shutil.which(name, path=environment.get("PATH", os.defpath))


def _source(path: PathLike, environment: Mapping[str, str]) -> dict[str, str] | None:
    """The environment after bash has sourced ``path``; None when it could not."""
    # set_env.sh reads variables that may be unset, prints, and commands in it may fail.
    script = 'set +eu; . "$1" >&2; env -0'
    try:
        ended = subprocess.run(
            ["bash", "-c", script, "set_env", str(path)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SET_ENV_TIME,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    entries = (os.fsdecode(entry).partition("=") for entry in ended.stdout.split(b"\0") if entry)
    return {name: value for name, _, value in entries} or None


def parallel_compiles() -> int:
    """How many operators atc may compile at once: four fifths of the cores, as its manual advises.

    Its own default is 8 on any host.
    """
    return max(1, min(32, len(os.sched_getaffinity(0)) * 4 // 5))


def descendants() -> list[int]:
    """The processes that this one started, and those that they started, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/" + entry + "/stat", "rb") as file:
                stat = file.read()
        except OSError:  # it has ended
            continue
        # The second field is the program's name in brackets, with anything in it.
        parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _reap() -> tuple[dict[int, int], bool]:
    """Wait for what has ended: process id -> wait status, and whether there are more children."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status


def kill_descendants() -> None:
    """Kill everything below this process and wait until it is gone.

    Who loses its parent on the way becomes a child of this process (it is a subreaper), so that no
    session or process group of its own lets one escape.
    """
    deadline = time.monotonic() + _KILL_TIME
    while time.monotonic() < deadline:
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not _reap()[1]:
            return
        time.sleep(0.01)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


class Run:
    """One request, from its files to its results."""

    def __init__(self, request: dict[str, Any], source: IO[bytes], answers: IO[bytes]) -> None:
        self._request = request
        self._source = source
        self._answers = answers
        self._made: str | None = None
        self._inputs: dict[str, str] = {}

    def answer(self, event: str, **fields: Any) -> None:
        """Write one line of JSON."""
        fields["event"] = event
        self._answers.write(json.dumps(fields).encode() + b"\n")
        self._answers.flush()

    def __call__(self) -> None:
        """Do it all; what goes wrong is answered, and nothing is left behind."""
        try:
            directory = self._request.get("directory") or self._receive()
            self._compile(directory)
            if self._made:
                self._send_results(directory)
        except Refused as error:
            self.answer("error", kind=error.kind, message=str(error))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if error.errno == errno.EPIPE:
                raise Stopped from error
            self.answer("error", kind="disk-full" if full else "system", message=str(error))
        finally:
            self.clean()
        self.answer("done")

    def clean(self, *, stopped: bool = False) -> None:
        """End what runs and remove the directory that was made. Signals no longer interrupt."""
        for number in _STOPPING:
            signal.signal(number, signal.SIG_IGN)
        kill_descendants()
        directory = self._made or (self._request.get("directory") if stopped else None)
        if directory:
            shutil.rmtree(directory, ignore_errors=True)

    def _receive(self) -> str:
        """Put the request's files into a new directory, whole and as they were sent."""
        base = tempfile.gettempdir()
        base = base if _SAFE_PATH.match(base) else "/tmp"
        self._made = tempfile.mkdtemp(prefix="paddle2om-", dir=base)
        for file in self._request["files"]:
            digest = hashlib.sha256()
            path = os.path.join(self._made, os.path.basename(file["name"]))
            with open(path, "wb") as target:
                left = file["bytes"]
                while left:
                    chunk = self._source.read(min(left, _CHUNK))
                    if not chunk:
                        raise Stopped
                    target.write(chunk)
                    digest.update(chunk)
                    left -= len(chunk)
            if digest.hexdigest() != file["sha256"]:
                raise Refused("checksum", file["name"] + " did not arrive as it was sent")
            self._inputs[os.path.basename(path)] = file["sha256"]
        return self._made

    def _compile(self, directory: str) -> None:
        request = self._request
        environment = dict(os.environ)
        environment.setdefault("TE_PARALLEL_COMPILER", str(parallel_compiles()))
        environment.setdefault(_LOG_VARIABLE, os.path.join(directory, _LOG_DIRECTORY))
        environment.update(request.get("environment") or {})
        environment = with_toolkit(environment, request["set_env_files"], request["driver"])
        argv = request["argv"]
        program = find_program(argv[0], environment)
        if program is None:
            raise Refused("no-atc", argv[0] + " not found")
        try:
            process = subprocess.Popen(
                [program, *argv[1:]],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise Refused("cannot-start", program + ": " + reason) from error
        toolkit = next((environment[n] for n in TOOLKIT_VARIABLES if environment.get(n)), None)
        self.answer("started", program=program, toolkit=toolkit, directory=directory)
        status = self._watch(process, time.monotonic() + request["timeout"])
        kill_descendants()
        free = shutil.disk_usage(directory).free
        self.answer("exit", status=status, free=free)

    def _watch(self, process: subprocess.Popen[bytes], deadline: float) -> int | None:
        """Pass on what atc prints until it ends; its return code as subprocess has it.

        None when its time was up. Raises ``Stopped`` when standard input closes.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        assert process.stdout is not None
        output = process.stdout.fileno()
        os.set_blocking(output, False)
        wakeup, wake = os.pipe()
        for end in (wakeup, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        status: int | None = None
        with selectors.DefaultSelector() as selector:
            for descriptor in (output, wakeup, self._source.fileno()):
                selector.register(descriptor, selectors.EVENT_READ)
            while status is None and time.monotonic() < deadline:
                ended = _reap()[0]
                if process.pid in ended:
                    status = _return_code(ended[process.pid])
                    break
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    if key.fd == wakeup:
                        os.read(wakeup, _CHUNK)
                    elif key.fd == output:
                        if not self._pass_on(output, decoder):
                            selector.unregister(output)
                    elif not os.read(key.fd, _CHUNK):
                        raise Stopped
        signal.set_wakeup_fd(-1)
        process.returncode = status if status is not None else -signal.SIGKILL
        kill_descendants()  # they hold the other end of the pipe
        while self._pass_on(output, decoder):
            pass
        os.close(wakeup)
        os.close(wake)
        process.stdout.close()
        return status

    def _pass_on(self, output: int, decoder: codecs.IncrementalDecoder) -> bool:
        """Answer with what there is to read; False when there is nothing more."""
        try:
            data = os.read(output, _CHUNK)
        except BlockingIOError:
            return False
        text = decoder.decode(data, final=not data)
        if text:
            self.answer("log", text=text)
        return bool(data)

    def _send_results(self, directory: str) -> None:
        """Send back every file that the run left."""
        for path in sorted(_files_below(directory)):
            name = os.path.relpath(path, directory)
            size = os.path.getsize(path)
            digest = _digest(path)
            if self._inputs.get(name) == digest:
                continue
            if size > _LARGEST_SIDE_FILE and not _RESULTS.match(name):
                self.answer("left", name=name, bytes=size)
                continue
            self.answer("file", name=name, bytes=size, sha256=digest)
            with open(path, "rb") as file:
                shutil.copyfileobj(file, self._answers, _CHUNK)
            self._answers.flush()


def _files_below(directory: str) -> Iterator[str]:
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def _return_code(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    """Runs in atc's process before atc does: should this program be killed, so is atc."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


#: Connections that end, CI systems and time limits send these.
_STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)


def _stop(*_: object) -> None:
    raise Stopped


def main() -> None:
    """Serve the one request on standard input."""
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    request = json.loads(source.readline().decode("utf-8"))
    for number in _STOPPING:
        signal.signal(number, _stop)
    # Should nobody take the answers, writing them would wait for ever.
    signal.setitimer(signal.ITIMER_REAL, request["timeout"] + request["grace"])
    run = Run(request, source, answers)
    try:
        answers.write(b"\n" + request["marker"].encode() + b"\n")
        answers.flush()
        run()
    except (Stopped, BrokenPipeError):
        run.clean(stopped=True)
    # Without flushing answers that nobody reads.
    os._exit(0)


if __name__ == "__main__":
    main()
