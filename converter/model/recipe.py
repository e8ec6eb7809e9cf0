"""What a recipe file may say: models to convert, how, in which variants, and their pipelines.

These records are the schema: unknown keys are errors, and ``json_schema`` is made from them. Values
come as the text that stands in the file (``converter.engine.recipe.document``), so that a version
``3.10`` is not the number 3.1. Paths are as written; ``converter.engine.recipe.reading.resolve``
makes them absolute.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from converter.errors import InputError
from converter.model.compile_options import ONLY_INPUT, PRECISION_V1, PRECISION_V2, ProfileFlag
from converter.model.memory import parse_bytes
from converter.model.record import Record
from converter.model.task import OPSET_HINT, OPSET_RANGE, ConvertOptions
from converter.model.time_limit import LONGEST
from converter.model.tolerance import ToleranceOverride

#: Version of the schema; raised when a recipe would mean something else.
RECIPE_SCHEMA = 1

_NAME = re.compile(r"[^\W_][\w.+@-]*")


def _hinted(message: str, hint: str) -> PydanticCustomError:
    """A mistake with its own hint; ``converter.engine.recipe.mistakes`` reads it out again."""
    return PydanticCustomError("hinted", "{told}", {"told": message, "hint": hint})


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)


def _named_shape(value: Any) -> Any:
    """``[1, 3, 48, 320]`` is the shape of a model's only input."""
    return {ONLY_INPUT: value} if _is_shape(value) else value


def _extents(shape: tuple[int, ...]) -> tuple[int, ...]:
    if not shape or min(shape) < 1:
        raise _hinted("a shape has positive extents only", "for example [1, 3, 48, 320]")
    return shape


def _labelled_shapes(value: Any) -> Any:
    """A list of shapes gets labels made of its extents: ``1x3x48x320``."""
    if not isinstance(value, list):
        return value
    if _is_shape(value):
        raise _hinted(
            "variants of shapes are several shapes",
            "for example [[1, 3, 48, 320], [1, 3, 48, 640]]",
        )
    labelled: dict[str, Any] = {}
    for item in value:
        shapes = _named_shape(item)
        extents = list(shapes.values()) if isinstance(shapes, dict) else [item]
        texts = ["x".join(map(str, e)) if isinstance(e, list) else str(e) for e in extents]
        label = "-".join(texts)
        if label in labelled:
            raise _hinted(f"the shape {label} is given twice", "remove one of them")
        labelled[label] = shapes
    return labelled


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _hinted(
            f"{name!r} cannot be a name: it becomes one of a directory",
            "use letters, digits and . _ + @ -, and begin with a letter or digit",
        )
    return name


def _no_double(values: tuple[Any, ...]) -> tuple[Any, ...]:
    double = next((value for value in values if values.count(value) > 1), None)
    if double is not None:
        raise _hinted(f"{double} is given twice", "remove one of them")
    if not values:
        raise _hinted("the list is empty", "give at least one value, or leave the key out")
    return values


def _whole_opset(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+", value):
        raise _hinted(f"opset {value!r} is not a whole number", OPSET_HINT)
    return value


def _opset(value: int) -> int:
    if value not in OPSET_RANGE:
        raise _hinted(f"opset {value} is not supported", OPSET_HINT)
    return value


def _precision(value: str) -> str:
    if value not in (*PRECISION_V2, *PRECISION_V1):
        raise _hinted(
            f"precision cannot be {value!r}",
            f"{', '.join(PRECISION_V2)}; or an older name: {', '.join(PRECISION_V1)}",
        )
    return value


Name = Annotated[str, AfterValidator(_plain_name)]
Opset = Annotated[
    int,
    BeforeValidator(_whole_opset),
    AfterValidator(_opset),
    WithJsonSchema({"type": "integer", "minimum": OPSET_RANGE[0], "maximum": OPSET_RANGE[-1]}),
]
#: Versions are read as text, and YAML takes ``3.7`` for a number.
Version = Annotated[str, WithJsonSchema({"type": ["string", "number"]})]
Shape = Annotated[tuple[int, ...], AfterValidator(_extents)]
_SHAPE: dict[str, Any] = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1},
    "minItems": 1,
}
_SHAPES: dict[str, Any] = {
    "anyOf": [_SHAPE, {"type": "object", "additionalProperties": _SHAPE, "minProperties": 1}]
}
Shapes = Annotated[dict[str, Shape], BeforeValidator(_named_shape), WithJsonSchema(_SHAPES)]
Paths = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_list),
    AfterValidator(_no_double),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Precision = Annotated[
    str,
    AfterValidator(_precision),
    WithJsonSchema({"type": "string", "enum": sorted({*PRECISION_V2, *PRECISION_V1})}),
]


def _filled(text: str) -> str:
    if not text:
        raise _hinted("a name is empty", "for example {fetch_name_0: logits}")
    return text


#: What an input or output is called.
TensorName = Annotated[str, AfterValidator(_filled)]
#: A time limit.
Seconds = Annotated[float, Field(gt=0, le=LONGEST, allow_inf_nan=False)]


def _memory(value: Any) -> Any:
    try:
        return parse_bytes(value) if isinstance(value, str) else value
    except InputError as error:
        raise _hinted(error.message, error.hint) from error


#: Bytes, written as ``4G``.
Memory = Annotated[int, BeforeValidator(_memory), WithJsonSchema({"type": ["string", "integer"]})]


class ModelTolerance(Record):
    """The gate of float outputs: ``max_abs`` alone, or ``atol + rtol * max|reference|``."""

    max_abs: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    atol: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    rtol: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Variants(Record):
    """Axes of variants: a model is converted once for each combination."""

    opset: Annotated[tuple[Opset, ...], AfterValidator(_no_double)] | None = None
    soc: Annotated[tuple[str, ...], AfterValidator(_no_double)] | None = None
    shapes: (
        Annotated[
            dict[Name, Shapes],
            BeforeValidator(_labelled_shapes),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "array", "items": _SHAPES, "minItems": 1},
                        {"type": "object", "additionalProperties": _SHAPES, "minProperties": 1},
                    ]
                }
            ),
        ]
        | None
    ) = None


class Overrides(Record):
    """How to convert: the options of ``paddle2om convert``; what is left out has its default.

    A key with ``null`` takes back what ``defaults`` say.
    """

    opset: Opset | None = None
    simplify: bool | None = None
    rename: dict[TensorName, TensorName] | None = None
    tolerance: ModelTolerance | None = None
    tolerances: dict[str, ToleranceOverride] | None = None
    data: Paths | None = None
    min_agreement: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = Field(default=None, ge=0)
    sweep: bool | None = None
    timeout: Seconds | None = None
    memory: Memory | None = None
    soc: str | None = None
    shapes: Shapes | None = None
    profiles: Annotated[tuple[Shapes, ...], Field(min_length=1)] | None = None
    profile_flag: ProfileFlag | None = None
    precision: Precision | None = None
    keep_dtype: str | None = None
    customize_dtypes: str | None = None
    modify_mixlist: str | None = None
    op_precision_mode: str | None = None
    precision_from: str | None = None
    aipp: str | None = None
    atc_flags: dict[str, str] | None = None
    atc_timeout: Seconds | None = None
    cann: Version | None = None
    target: Literal["paddlex", "any"] | None = None
    on: str | None = None
    variants: Variants | None = None


class ModelEntry(Overrides):
    """One model, or all that a glob matches.

    ``name`` may have ``{name}`` and ``{parent}`` in it: the model's own name, and that of the
    directory around it.
    """

    path: Paths
    exclude: Paths = ()
    name: str | None = None


class PipelineEntry(Record):
    """One PaddleX pipeline config: what ``paddle2om render`` takes."""

    name: str | None = None
    base: str | None = None
    base_dir: str | None = None
    out: str | None = None
    backend: Literal["onnx", "om", "cann", "paddle", "auto"] = "onnx"
    device: str | None = None
    paddlex: Version | None = None
    wrapper: Literal["paddlex", "paddleocr"] = "paddlex"
    use: dict[str, str] = Field(default_factory=dict)
    place: dict[str, Literal["onnx", "om", "cann", "paddle"]] = Field(default_factory=dict)
    shapes: dict[str, Annotated[tuple[int, ...], Field(min_length=3, max_length=3)]] = Field(
        default_factory=dict
    )
    dictionaries: dict[str, str] = Field(default_factory=dict)
    scripts: bool = False


class RecipeFile(Record):
    """One recipe file."""

    schema_version: Annotated[int, WithJsonSchema({"const": RECIPE_SCHEMA})] = Field(alias="schema")
    include: Paths = ()
    defaults: Overrides = Overrides()
    models: tuple[ModelEntry, ...] = ()
    pipelines: tuple[PipelineEntry, ...] = ()


class PlannedModel(Record):
    """One conversion that a recipe asks for.

    ``name`` is unique in the recipe: the model's, and its variant's behind it. ``source`` is
    absolute. ``variant`` has the axes that vary, as text (``{"opset": "13"}``). ``place`` is where
    in which file the model stands (``zoo.yaml:7:5``). A ``soc`` of ``auto`` is not resolved yet.
    """

    name: str
    model: str
    source: Path
    variant: dict[str, str] = Field(default_factory=dict)
    options: ConvertOptions = ConvertOptions()
    place: str = ""


class PlannedPipeline(Record):
    """One pipeline config that a recipe asks for, with absolute paths; ``out`` is a file name.

    ``base`` is a PaddleX pipeline's name or a file. The rest is what ``render`` takes.
    """

    name: str
    base: str
    out: str
    base_dir: Path | None = None
    backend: Literal["onnx", "om", "cann", "paddle", "auto"] = "onnx"
    device: str | None = None
    paddlex: str | None = None
    wrapper: Literal["paddlex", "paddleocr"] = "paddlex"
    use: dict[str, str] = Field(default_factory=dict)
    place: dict[str, Literal["onnx", "om", "cann", "paddle"]] = Field(default_factory=dict)
    shapes: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    dictionaries: dict[str, Path] = Field(default_factory=dict)
    scripts: bool = False


class Recipe(Record):
    """A recipe that was read: ``files`` are it and what it includes."""

    path: Path
    files: tuple[Path, ...]
    models: tuple[PlannedModel, ...]
    pipelines: tuple[PlannedPipeline, ...] = ()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe file, for editors."""
    schema = RecipeFile.model_json_schema(by_alias=True)
    for record in (schema, *schema["$defs"].values()):
        for field in record.get("properties", {}).values():
            field.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"paddle2om recipe, schema {RECIPE_SCHEMA}",
    }
