"""Runs a rendered config in PaddleX itself, in a child process with a time limit."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.errors import InputError, StageError, WorkerError
from converter.model.result import Record
from converter.model.wording import last_line, shorten
from converter.paddlex.cache_home import cache_home

_RUNNER = Path(__file__).with_name("_pipeline_runner.py")

#: The first PaddleX that reads ``engine``.
OLDEST_PADDLEX = (3, 5)

#: Seconds for building the pipeline and reading all pages: about 5 on two cores.
DEFAULT_TIMEOUT = 300.0

_INSTALL_HINT = "pip install 'paddle2om[paddlex]'"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Page(Record):
    """What PaddleX read off one image, in reading order."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    seconds: float


class PipelineRun(Record):
    """One PaddleX process: its version, the seconds it took to load the models, the pages."""

    version: str
    build_seconds: float
    pages: tuple[Page, ...]


def run_pipeline(
    config: Path,
    images: Sequence[Path],
    *,
    python: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> PipelineRun:
    """Build the pipeline from ``config`` with PaddleX and let it read ``images``.

    ``python`` is the interpreter that has PaddleX (this one by default). Raises ``InputError``
    when PaddleX is missing or too old, ``StageError`` when PaddleX fails, ``WorkerError`` when
    the process dies or exceeds ``timeout`` seconds.
    """
    for path in (config, *images):
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="check the path")
    with tempfile.TemporaryDirectory(prefix="paddle2om-paddlex-") as work:
        request, result, log = (Path(work) / name for name in ("request", "result", "log"))
        request.write_text(
            json.dumps(
                {
                    "config": str(config.absolute()),
                    "images": [str(image.absolute()) for image in images],
                    "oldest": OLDEST_PADDLEX,
                    "result": str(result),
                }
            ),
            encoding="utf-8",
        )
        code = _run_child([python or sys.executable, str(_RUNNER), str(request)], log, timeout)
        if code != 0 or not result.is_file():
            ending = f"signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"
            raise WorkerError(
                f"the PaddleX process ended with {ending}: {_last_line(log)}",
                hint="run the config with paddlex --pipeline to see all that it prints",
            )
        answer = json.loads(result.read_text(encoding="utf-8"))
    _check_answer(answer, config)
    return _checked_run(answer, len(images))


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
        }
    )


def _run_child(argv: list[str], log: Path, timeout: float) -> int:
    """Run to the end in a session of its own; the whole session dies at the time limit."""
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                argv,
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
            return child.wait(timeout)
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


def _check_answer(answer: dict[str, Any], config: Path) -> None:
    """Raise the error that the runner's ``problem`` stands for."""
    problem = answer.get("problem")
    if problem == "missing" and answer["module"] == "paddlex":
        raise InputError("PaddleX is not installed", hint=_INSTALL_HINT)
    if problem == "missing":
        raise InputError(
            f"PaddleX cannot be imported: {answer['detail']}", hint=f"repair it: {_INSTALL_HINT}"
        )
    if problem == "old":
        oldest = ".".join(map(str, OLDEST_PADDLEX))
        raise InputError(
            f"PaddleX {answer['version']} is too old: it ignores engine", hint=f"install {oldest}+"
        )
    if problem:
        detail = _in_one_line(answer["detail"])
        raise StageError(
            f"PaddleX {answer['version']} could not run {config.name}: {detail}",
            hint="the config names each model it loads; check those directories",
        )


def _checked_run(answer: dict[str, Any], images: int) -> PipelineRun:
    try:
        run = PipelineRun.model_validate(answer)
    except ValidationError as error:
        raise WorkerError(
            f"the PaddleX process answered with something else: {_in_one_line(str(error))}",
            hint="PaddleX 3.7.2 is the version this was made for",
        ) from error
    for page in run.pages:
        finite = all(map(math.isfinite, page.scores))
        if len(page.texts) != len(page.scores) or not finite:
            raise StageError(
                f"PaddleX gave {len(page.texts)} texts and the scores {page.scores}",
                hint="the recognition model computes something else than scores",
            )
    if len(run.pages) != images:
        raise WorkerError(
            f"PaddleX read {len(run.pages)} of {images} images", hint="check the images"
        )
    return run


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)


def _last_line(log: Path) -> str:
    text = _COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace"))
    return last_line(text) or "it printed nothing"


def _in_one_line(text: str) -> str:
    return shorten(" ".join(text.split()))
