"""Read the parts of PaddleX's ``inference.yml`` that say how the model is fed.

PaddleX wrote three layouts: OCR and classification (``PreProcess.transform_ops`` and
``PostProcess``), detection (a ``Preprocess`` list of ``{type: ...}``) and segmentation
(``Deploy.transforms``). All may have ``Global.model_name`` and ``Hpi.backend_configs``. A key that
is missing, or has a form that we do not know, leaves its fact unknown; it is no error.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from converter.errors import InputError
from converter.model.files import read_all, reject_lfs_pointer
from converter.model.normalisation import Normalisation, read_channel_order, read_normalisation
from converter.model.roles import Role, role_of
from converter.model.tensor import ShapeHint

_Options: TypeAlias = Mapping[str, Any]

#: What yaml.safe_load raises beside YAMLError: for dates like 2020-99-99, for bad ``!!int`` tags,
#: for a mapping as a key, for 1000 nested brackets.
_YAML_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

# libyaml is 20 times faster, and a character dictionary has up to 18 000 lines.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: An inference.yml has about 8 levels.
_MAX_DEPTH = 64


@dataclass(frozen=True)
class InferenceYml:
    """What an ``inference.yml`` says; None and ``{}`` where it says nothing.

    ``shape_hints`` has min, opt and max extents by input name. ``value_range`` is the lowest and
    highest value that any channel of the normalised input takes for pixels of 0 to 255. ``steps``
    are the preprocessing's (name, options) in order; those of the detection layout are called
    ``Detection...``, those of the segmentation layout ``Deploy...``. ``postprocess`` is the section
    ``PostProcess``. ``labels`` and ``draw_threshold`` are a detector's: its classes, and the score
    from which on PaddleX shows a box.
    ``input_size`` is (height, width) in pixels where the preprocessing fixes it. ``channel_order``
    is that of the model's channels.
    """

    model_name: str | None = None
    role: Role | None = None
    shape_hints: Mapping[str, ShapeHint] = field(default_factory=dict)
    value_range: tuple[float, float] | None = None
    input_size: tuple[int, int] | None = None
    normalisation: Normalisation | None = None
    channel_order: Literal["RGB", "BGR"] = "RGB"
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    postprocess: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    draw_threshold: float | None = None


def read_inference_yml(path: Path) -> InferenceYml:
    """Read ``path``.

    Raises ``InputError`` when it cannot be read, is not YAML (which line), is not a mapping, or
    has shape hints that are not three lists of positive integers.
    """
    data = read_all(path)
    reject_lfs_pointer(path, data)
    content = _load(data, path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path} is not an inference.yml: it holds no keys at the top",
            hint="use the inference.yml that came with the model, or remove the file",
        )
    name = _mapping(content, "Global").get("model_name")
    model_name = name if isinstance(name, str) and name else None
    steps = list(_steps(content))
    normalisation = read_normalisation(steps)
    return InferenceYml(
        model_name=model_name,
        role=role_of(model_name, _mapping(content, "PostProcess")),
        shape_hints=_shape_hints(content, path),
        value_range=normalisation.value_range if normalisation else None,
        input_size=_input_size(steps),
        normalisation=normalisation,
        channel_order=read_channel_order(steps),
        steps=tuple(steps),
        postprocess=_mapping(content, "PostProcess"),
        labels=_labels(content),
        draw_threshold=_threshold(content),
    )


def _labels(content: _Options) -> tuple[str, ...]:
    labels = content.get("label_list")
    return tuple(map(str, labels)) if isinstance(labels, list) else ()


def _threshold(content: _Options) -> float | None:
    value = content.get("draw_threshold")
    return float(value) if type(value) is int or type(value) is float else None


def _load(data: bytes, path: Path) -> object:
    try:
        return _parsed(data)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
    except _YAML_ERRORS as error:
        where, what = "", str(error) or type(error).__name__
    raise InputError(
        f"{path} is not YAML: {what}{where}", hint="correct that line, or copy the file again"
    )


@functools.lru_cache(maxsize=2)
def _parsed(data: bytes) -> object:
    """What the YAML says, which nobody changes: several stages read it, and a dictionary is long.

    Raises a ``YAMLError``, or one of ``_YAML_ERRORS``.
    """
    _limit_depth(data)
    return yaml.load(data, Loader=_Loader)  # a safe loader in either case


def _limit_depth(data: bytes) -> None:
    """Raise ``ValueError`` for deep nesting: libyaml's loader recurses in C and would segfault."""
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError(f"it nests deeper than {_MAX_DEPTH} levels")


def _mapping(owner: object, key: str) -> _Options:
    value = owner.get(key) if isinstance(owner, dict) else None
    return value if isinstance(value, dict) else {}


def _shape_hints(content: _Options, path: Path) -> dict[str, ShapeHint]:
    """Read both lists of dynamic shapes; TensorRT's own counts where they differ."""
    configs = _mapping(_mapping(content, "Hpi"), "backend_configs")
    shapes = {
        **_mapping(_mapping(configs, "paddle_infer"), "trt_dynamic_shapes"),
        **_mapping(_mapping(configs, "tensorrt"), "dynamic_shapes"),
    }
    return {str(name): _shape_hint(str(name), shape, path) for name, shape in shapes.items()}


def _shape_hint(name: str, shapes: object, path: Path) -> ShapeHint:
    good = isinstance(shapes, list) and len(shapes) == 3
    rows = [row for row in shapes if isinstance(row, list)] if isinstance(shapes, list) else []
    extents = [extent for row in rows for extent in row]
    good = good and len(rows) == 3 and len({len(row) for row in rows}) == 1
    if not good or not all(type(extent) is int and extent > 0 for extent in extents):
        raise InputError(
            f"{path}: the dynamic shapes of input {name} are not three lists of positive integers",
            hint=f"write them as {name}: [[min...], [opt...], [max...]] under Hpi",
        )
    low, usual, high = rows
    return ShapeHint(min=tuple(low), opt=tuple(usual), max=tuple(high))


def _steps(content: _Options) -> Iterator[tuple[str, _Options]]:
    """Yield the preprocessing steps of whichever layout as (name, options)."""
    for step in _list(_mapping(content, "PreProcess").get("transform_ops")):
        for name, options in step.items():
            yield str(name), options if isinstance(options, dict) else {}
    # "Deploy" is the layout of PaddleSeg, whose sizes are [width, height] as OpenCV's are.
    for prefix, steps in (
        ("Detection", content.get("Preprocess")),
        ("Deploy", _mapping(content, "Deploy").get("transforms")),
    ):
        for step in _list(steps):
            kind = step.get("type")
            if isinstance(kind, str):
                yield f"{prefix}{kind}", step


def _list(value: object) -> list[dict[Any, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


#: Steps that fix the size: the option that holds it, and whether it is [width, height].
_SIZE_OPTIONS: Mapping[str, tuple[str, bool]] = {
    "RecResizeImg": ("image_shape", False),
    "ClsResizeImg": ("image_shape", False),
    "DetResizeForTest": ("image_shape", False),
    "ResizeImage": ("size", True),
    "CropImage": ("size", True),
    "PaddingTableImage": ("size", True),
    "DetectionResize": ("target_size", False),
    "DeployResize": ("target_size", True),
}


def _input_size(steps: list[tuple[str, _Options]]) -> tuple[int, int] | None:
    """Return (height, width) after the last step that fixes them: a crop follows a resize."""
    found = None
    for name, options in steps:
        if name not in _SIZE_OPTIONS:
            continue
        option, width_first = _SIZE_OPTIONS[name]
        size = options.get(option)
        pair = [size, size] if isinstance(size, int) else size
        if not isinstance(pair, list) or len(pair) < 2:
            continue
        first, second = pair[-2:]  # image_shape has the channels in front
        if type(first) is int and type(second) is int and first > 0 and second > 0:
            found = (second, first) if width_first else (first, second)
    return found
