"""Runs a rendered config in PaddleX itself, in a child process with a time limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.errors import InputError, StageError, WorkerError
from converter.model.record import Record
from converter.model.wording import shorten
from converter.paddlex.child import ask

_RUNNER = Path(__file__).with_name("_pipeline_runner.py")

#: The first PaddleX that reads ``engine``.
OLDEST_PADDLEX = (3, 5)

#: Seconds for building the pipeline and reading all pages: about 5 on two cores.
DEFAULT_TIMEOUT = 300.0

_INSTALL_HINT = "pip install 'paddle2om[paddlex]'"


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
    request = {
        "config": str(config.absolute()),
        "images": [str(image.absolute()) for image in images],
        "oldest": OLDEST_PADDLEX,
    }
    answer = ask(_RUNNER, request, python=python, timeout=timeout)
    _check_answer(answer, config)
    return _checked_run(answer, len(images))


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


def _in_one_line(text: str) -> str:
    return shorten(" ".join(text.split()))
