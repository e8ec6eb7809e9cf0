"""Static OM shapes tried on a CPU: the text they cost, and the ones that cost least.

An OM file has one shape. PaddleX stretches every page and every line to it, in the same code
whether an OM file or ONNX Runtime computes then, so that the effect can be seen before there is an
NPU: the same pages are read with the shapes of the pages and with the fixed ones, and the texts
compared. What an NPU's half precision does besides is not in it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converter.errors import InputError
from converter.model import onnx_file
from converter.model.record import Record
from converter.model.wording import first_line
from converter.paddlex.intent import read_config
from converter.paddlex.pipeline import INHERITED, Module, Pipeline
from converter.paddlex.rehearsal_lines import PageLines
from converter.paddlex.rehearsal_shapes import (
    Shape,
    detection_sizes,
    recognition_widths,
    widths_between,
)
from converter.paddlex.rehearsal_trials import Shapes, Trial, Trials, key_of

#: Seconds for all variants on all images.
DEFAULT_TIMEOUT = 1800.0

DETECTION, RECOGNITION = "TextDetection", "TextRecognition"


class Rehearsal(Record):
    """All trials. ``suggested`` is the shapes to compile for; its trial is the last one."""

    config: str
    paddlex: str
    images: tuple[str, ...]
    trials: tuple[Trial, ...]
    suggested: Shapes


def rehearse(
    config: Path,
    images: Sequence[Path],
    *,
    shapes: Mapping[str, Shape] | None = None,
    python: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    tell: Callable[[str], None] = lambda _: None,
) -> Rehearsal:
    """Read ``images`` with the OCR pipeline of ``config`` on a CPU, with and without fixed shapes.

    The fixed shapes are the config's ``input_shape`` where ``shapes`` gives none. Every module
    runs from the ``inference.onnx`` in its ``model_dir``. ``tell`` takes a line for each reading.
    Raises ``InputError`` for a config of another pipeline, a module without an ONNX file, a shape
    that its model does not take, files that are no images and pages without text.
    """
    for path in (config, *images):
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="check the path")
    if not images:
        raise InputError("no image to rehearse on", hint="give a few typical pages with --image")
    pipeline = read_config(config)
    if pipeline.name != "OCR":
        raise InputError(
            f"a rehearsal needs an OCR pipeline, not {pipeline.name}",
            hint="render OCR with the same text models; modules of other kinds have one input "
            "size anyway",
        )
    _require_images(images)
    config_on_cpu = on_cpu(pipeline)
    fixed = _configured(pipeline) | dict(shapes or {})
    _check_shapes(pipeline, fixed)
    trials = Trials(config_on_cpu, images, python, timeout, tell)
    reference = trials.read_reference(_parts(fixed))
    if not any(page.lines for page in reference):
        raise InputError(
            "there is no text on the images", hint="give pages with the kind of text you have"
        )
    candidates = _candidates(pipeline, reference, fixed)
    trials.try_all({module: shape} for module, shapes in candidates.items() for shape in shapes)
    best = {module: trials.cheapest(module) for module in candidates}
    between = [
        {RECOGNITION: shape}
        for shape in widths_between(best[RECOGNITION], trials.tried(RECOGNITION))
    ]
    trials.try_all([*between, best])
    suggested = best | {RECOGNITION: trials.cheapest(RECOGNITION)}
    trials.try_all([suggested])
    last = trials.made.pop(key_of(suggested))
    return Rehearsal(
        config=str(config),
        paddlex=trials.version,
        images=tuple(map(str, images)),
        trials=(*trials.made.values(), last),
        suggested=suggested,
    )


def _require_images(images: Sequence[Path]) -> None:
    """Raise ``InputError`` for a file that is no image."""
    from PIL import Image

    for path in images:
        try:
            with Image.open(path) as image:
                image.verify()
        except Exception as error:  # Pillow raises what its formats' code happens to
            raise InputError(
                f"{path} is not an image that can be read: {first_line(str(error))}",
                hint="give PNG or JPEG files; pages of a PDF one by one, as such files",
            ) from error


def _check_shapes(pipeline: Pipeline, fixed: Shapes) -> None:
    """Raise ``InputError`` for a shape of no module, or one that the module's model refuses."""
    modules = {module.name: module for module in _shaped(pipeline)}
    for name, shape in fixed.items():
        if name not in modules:
            raise InputError(
                f"--shape {name}: a rehearsal fixes the shapes of {' and '.join(modules)} only",
                hint="models of other kinds have one input size anyway",
            )
        directory = Path(str(modules[name].settings["model_dir"]))
        (spec, *_) = onnx_file.describe_file(directory / "inference.onnx").inputs
        batched = (1, *shape)
        fits = len(batched) == spec.rank and all(
            extent >= 1 and (isinstance(dim, str) or dim == extent)
            for dim, extent in zip(spec.shape, batched, strict=True)
        )
        if not fits:
            raise InputError(
                f"{name} takes {spec}, not {','.join(map(str, shape))}",
                hint="give channels, height and width that it takes, as "
                f"--shape {name}={','.join(map(str, (3, *shape[1:])))}",
            )


def on_cpu(pipeline: Pipeline) -> dict[str, Any]:
    """The config with every module on ONNX Runtime, and no fixed shape.

    Raises ``InputError`` for a module without a directory that has an ``inference.onnx``.
    """
    for module in pipeline.modules:
        if module.off or module.skipped:
            continue
        directory = module.settings.get("model_dir")
        if directory is None:
            raise InputError(
                f"{module.name} has no model_dir, so that PaddleX would download its model",
                hint="render the config with a model for it, or switch the module off",
            )
        if not (Path(str(directory)) / "inference.onnx").is_file():
            raise InputError(
                f"{module.name} has no inference.onnx in {directory}",
                hint="paddle2om convert leaves it there; a rehearsal runs it in place of the OM "
                "file",
            )
    config = copy.deepcopy(pipeline.data)
    for level in _levels(config):
        for key in (*INHERITED, "input_shape"):
            level.pop(key, None)
        if level.get("model_dir") is not None:
            # The process that runs it has a directory of its own.
            level["model_dir"] = str(Path(str(level["model_dir"])).absolute())
    config["engine"] = "onnxruntime"
    return config


def _parts(fixed: Shapes) -> list[Shapes]:
    """All fixed shapes at once, then each alone, to tell which one costs the text."""
    parts = [{module: shape} for module, shape in fixed.items()]
    return [dict(fixed), *parts] if len(parts) > 1 else parts


def _candidates(
    pipeline: Pipeline, pages: Sequence[PageLines], fixed: Shapes
) -> dict[str, list[Shape]]:
    detection = next(_shaped(pipeline)).settings
    recognition = fixed.get(RECOGNITION)
    height = recognition[1] if recognition else 48
    return {
        DETECTION: detection_sizes(pages, detection, fixed.get(DETECTION)),
        RECOGNITION: recognition_widths(pages, height, recognition),
    }


def _configured(pipeline: Pipeline) -> Shapes:
    shapes: Shapes = {}
    for module in _shaped(pipeline):
        shape = module.settings.get("input_shape")
        if shape is None:
            continue
        whole = isinstance(shape, list) and len(shape) == 3
        if not whole or not all(isinstance(dim, int) and dim > 0 for dim in shape):
            raise InputError(
                f"{module.name}: input_shape {shape!r} is not channels, height, width",
                hint="for example [3, 48, 320]",
            )
        shapes[module.name] = (shape[0], shape[1], shape[2])
    return shapes


def _shaped(pipeline: Pipeline) -> Iterator[Module]:
    """The detection module, then the recognition module."""
    modules = {module.name: module for module in pipeline.modules}
    for name in (DETECTION, RECOGNITION):
        if name not in modules:
            raise InputError(
                f"the config has no {name}", hint="give a config that paddle2om render wrote"
            )
        yield modules[name]


def _levels(node: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield node
    for kind in ("SubModules", "SubPipelines"):
        for child in (node.get(kind) or {}).values():
            if isinstance(child, dict):
                yield from _levels(child)
