"""A child process that imports PaddleX: its environment, its time limit, its answer.

PaddleX, Paddle and ONNX Runtime may abort, hang or download; all of it happens in such a child, in
whichever interpreter has them. A runner is a file of the standard library only, started as
``python RUNNER REQUEST`` with a JSON file that holds the request and, under ``result``, where to
write the answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from converter.errors import InputError, WorkerError
from converter.model.cache_home import cache_home
from converter.model.wording import last_line

#: Ends the child with us, however we end (prctl(2), PR_SET_PDEATHSIG): a PaddleX that computes on
#: for nobody takes the memory of the next one. Then becomes the runner.
_BOOT = (
    "import ctypes,os,runpy,sys;"
    "ctypes.CDLL(None).prctl(1,9);"
    "os.getppid()==int(sys.argv[1]) or os._exit(1);"
    "del sys.argv[:2];"
    "sys.path[0]=os.path.dirname(sys.argv[0]);"
    "runpy.run_path(sys.argv[0],run_name='__main__')"
)

#: Seconds between two looks at how far the child is.
_LOOK_EVERY = 0.25

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def ask(
    runner: Path,
    request: Mapping[str, object],
    *,
    python: str | None = None,
    timeout: float,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Start ``runner`` with ``request`` in ``python`` (this interpreter by default).

    Returns its answer. ``tell`` takes the lines that the runner adds to the file ``progress`` of
    its request while it works. Raises ``InputError`` when the interpreter cannot be started and
    ``WorkerError`` when the process dies or exceeds ``timeout`` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="paddle2om-paddlex-") as work:
        asked, result, log, progress = (
            Path(work) / name for name in ("request", "result", "log", "progress")
        )
        files = {"result": str(result), "progress": str(progress)}
        asked.write_text(json.dumps({**request, **files}), encoding="utf-8")
        boot = ("-c", _BOOT, str(os.getpid()), str(runner), str(asked))
        code = _run_child([python or sys.executable, *boot], log, timeout, _Tail(progress, tell))
        if code != 0 or not result.is_file():
            ending = f"signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"
            raise WorkerError(
                f"the PaddleX process ended with {ending}: {_last_line(log)}",
                hint="run the config with paddlex --pipeline to see all that it prints",
            )
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return answer


def child_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """The environment in which PaddleX neither downloads nor writes outside our cache.

    PaddleX writes locks and temporary files to ``~/.paddlex``, Paddle makes
    ``~/.cache/paddle/dataset`` on import, ONNX Runtime 1.32 keeps a telemetry database in
    ``~/.cache/Microsoft``, ModelScope and Hugging Face have caches of their own. Most of these
    paths follow ``HOME`` only, so the child gets another one; ``PYTHONUSERBASE`` keeps packages
    that were installed with ``pip install --user`` in reach.
    """
    home = cache_home() / "paddlex"
    home.mkdir(parents=True, exist_ok=True)
    redirected = {
        "HOME": home,
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local" / "share",
        "PADDLE_PDX_CACHE_HOME": home / ".paddlex",
        "MODELSCOPE_CACHE": home / ".cache" / "modelscope",
        "HF_HOME": home / ".cache" / "huggingface",
    }
    return (
        dict(parent)
        | {name: str(path) for name, path in redirected.items()}
        | {
            "PYTHONUSERBASE": parent.get("PYTHONUSERBASE") or site.getuserbase(),
            "PYTHONUTF8": "1",
            "ORT_DISABLE_TELEMETRY": "1",
            # Importing PaddleX otherwise asks four model hosts whether they are there.
            "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            # PaddleX 3.0 downloads two fonts when it is imported, unless this names a file. No
            # child of ours draws text, so that any file does.
            "PADDLE_PDX_LOCAL_FONT_FILE_PATH": parent.get("PADDLE_PDX_LOCAL_FONT_FILE_PATH")
            or __file__,
        }
    )


class _Tail:
    """Passes on the whole lines that are added to a file."""

    def __init__(self, path: Path, tell: Callable[[str], None] | None) -> None:
        self._path, self._tell, self._told = path, tell, 0

    def look(self) -> None:
        """Pass on what is new."""
        if self._tell is None or not self._path.is_file():
            return
        lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        for line in lines[self._told :]:
            self._tell(line)
        self._told = len(lines)


def _run_child(argv: list[str], log: Path, timeout: float, tail: _Tail) -> int:
    """Run to the end in a session of its own; the whole session dies at the time limit."""
    python, *rest = argv
    if os.sep in python:
        # The child starts in another directory. Not resolve(): a venv's python is a symlink.
        python = os.path.abspath(python)  # noqa: PTH100
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                [python, *rest],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # PaddleX must not find, or leave, anything in the user's directory.
                cwd=log.parent,
                env=child_environment(os.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                f"cannot start {argv[0]}: {error.strerror}",
                hint="give a Python interpreter that has PaddleX",
            ) from error
        try:
            return _wait(child, timeout, tail)
        except BaseException as error:  # the time limit, but also Ctrl-C
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise WorkerError(
                f"PaddleX did not finish within {timeout:g} s",
                hint="give it more time, or a smaller image",
            ) from None


def _wait(child: subprocess.Popen[bytes], timeout: float, tail: _Tail) -> int:
    """The child's return code; ``TimeoutExpired`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            code = child.wait(max(0.0, min(left, _LOOK_EVERY)))
        except subprocess.TimeoutExpired:
            if left <= 0:
                raise
            tail.look()
        else:
            tail.look()
            return code


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)


def _last_line(log: Path) -> str:
    text = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace"))
    return last_line(text) or "it printed nothing"
