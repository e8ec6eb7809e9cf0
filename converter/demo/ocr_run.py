"""Lets PaddleX read a page with the converted models, and with Paddle, and compares the text."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.errors import GateError, InputError, Paddle2omError, StageError
from converter.model.result import ErrorInfo, PipelineReport
from converter.paddlex.base import own_base
from converter.paddlex.config_file import write_config
from converter.paddlex.modules import ConvertedModel, read_models, scan_models
from converter.paddlex.render import Rendered, RenderOptions, render_pipeline
from converter.paddlex.run import DEFAULT_TIMEOUT, Page, run_pipeline


def run_ocr_demo(
    models_dir: Path,
    paddle_dirs: Mapping[str, Path],
    out_dir: Path,
    *,
    image: Path,
    name: str = "OCR",
    use: Mapping[str, str] | None = None,
    python: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> PipelineReport:
    """Render ``<name>.yaml`` in ``out_dir``, let PaddleX read ``image``, compare with Paddle.

    ``models_dir`` holds the converted models; ``paddle_dirs`` maps each one's name to the Paddle
    directory it was made from, which a second config, ``<name>.paddle.yaml``, points at. ``use``
    chooses among several models that fit one module. What goes wrong is the report's ``error``:
    no text, or text other than Paddle's, is a failure like any other.
    """
    started = time.perf_counter()
    config = out_dir / f"{name}.yaml"
    reference = out_dir / f"{name}.paddle.yaml"
    modules: dict[str, str] = {}
    page = paddle_page = None
    error: Paddle2omError | None = None
    try:
        rendered = _render(scan_models(models_dir), "onnx", use or {})
        modules = rendered.models
        write_config(config, rendered.text)
        originals = read_models(_originals(modules, paddle_dirs))
        write_config(reference, _render(originals, "paddle", modules).text)
        page = _read(config, image, python, timeout)
        paddle_page = _read(reference, image, python, timeout)
        _compare(page, paddle_page)
    except Paddle2omError as raised:
        error = raised
    return PipelineReport(
        name=name,
        config=config.name,
        backend="onnx",
        modules=modules,
        image=os.path.relpath(image, out_dir),
        texts=page.texts if page else (),
        scores=page.scores if page else (),
        reference_texts=paddle_page.texts if paddle_page else None,
        seconds=time.perf_counter() - started,
        error=ErrorInfo.of(error) if error else None,
    )


def _originals(models: Mapping[str, str], paddle_dirs: Mapping[str, Path]) -> dict[str, Path]:
    """The Paddle models that these were converted from."""
    for name in models.values():
        if name not in paddle_dirs:
            raise InputError(
                f"the Paddle model of {name} is not known",
                hint="give the directory it was converted from",
            )
    return {name: paddle_dirs[name] for name in models.values()}


def _render(models: Sequence[ConvertedModel], backend: str, use: Mapping[str, str]) -> Rendered:
    """Our own OCR config with these models. Raises ``InputError`` unless PaddleX could run it."""
    rendered = render_pipeline(own_base(), models, RenderOptions(backend=backend, use=use))
    for item in rendered.served:
        if item.enabled and item.match.model is None:
            raise InputError(f"no model for {item.match.module.name}", hint=item.match.fix)
    return rendered


def _read(config: Path, image: Path, python: str | None, timeout: float) -> Page:
    (page,) = run_pipeline(config, [image], python=python, timeout=timeout).pages
    return page


def _compare(page: Page, reference: Page) -> None:
    """Raise unless Paddle read something and the converted models read exactly the same."""
    if not reference.texts:
        raise StageError(
            "Paddle itself reads no text on the page, so there is nothing to compare",
            hint="give an image that has text on it",
        )
    if page.texts == reference.texts:
        return
    pairs = zip(page.texts, reference.texts, strict=False)
    different = next((pair for pair in pairs if pair[0] != pair[1]), None)
    detail = (
        f"{different[0]!r}, where Paddle reads {different[1]!r}"
        if different
        else f"{len(page.texts)} lines, where Paddle reads {len(reference.texts)}"
    )
    raise GateError(
        f"the converted models read {detail}",
        hint="validate each model to find the one that differs",
    )
