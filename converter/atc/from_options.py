"""From what the user asked for to an atc command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.atc.command import AtcCommand
from converter.atc.flags import all_flags, is_known
from converter.atc.profiles import ShapeFlags, fixed, from_profiles
from converter.atc.shapes import Hints, Shape, ShapeSource, check_shapes, static_shapes
from converter.errors import InputError
from converter.model.compile_options import CONFIG_FILES, PRECISION_V2, CompileOptions
from converter.model.tensor import TensorSpec

#: Names in the directory that atc runs in; atc refuses most characters in paths.
MODEL_NAME, OUTPUT_NAME = "inference.onnx", "inference"

#: The file that --aipp becomes.
AIPP_NAME = "aipp.cfg"

#: Values of ``--precision_mode_v2`` that a CANN without it has under another name.
_OLDER_NAME = {"fp16": "force_fp16", "origin": "must_keep_origin_dtype"}

#: Flags that are decided here and may not be given in ``CompileOptions.flags``.
_OURS = frozenset(
    {
        *("model", "output", "framework", "mode", "om", "json", "singleop", "soc_version"),
        *("input_shape", "dynamic_batch_size", "dynamic_image_size", "dynamic_dims"),
        *("precision_mode", "precision_mode_v2", "insert_op_conf", *CONFIG_FILES),
    }
)


@dataclass(frozen=True)
class ChosenShapes:
    """The shapes to compile for: one set, or several profiles; and where they come from."""

    profiles: tuple[Mapping[str, Shape], ...]
    sources: Mapping[str, ShapeSource]

    @property
    def static(self) -> Mapping[str, Shape] | None:
        """The one set of shapes; None with profiles."""
        return self.profiles[0] if len(self.profiles) == 1 else None

    def flags(self, inputs: Sequence[TensorSpec], options: CompileOptions) -> ShapeFlags:
        """The flags, with the inputs in the order of ``inputs``.

        Raises ``InputError`` where no flag can express the profiles.
        """
        ordered = [{spec.name: shapes[spec.name] for spec in inputs} for shapes in self.profiles]
        if len(ordered) == 1:
            return fixed(ordered[0])
        return from_profiles(
            ordered,
            signature=inputs,
            aipp=options.aipp is not None,
            wanted=options.profile_flag,
        )


def choose_shapes(
    inputs: tuple[TensorSpec, ...], options: CompileOptions, hints: Hints
) -> ChosenShapes:
    """The shapes asked for, completed by ``hints``; ``InputError`` where they do not fit."""
    profiles = options.profiles or ({},)
    found = [static_shapes(inputs, {**options.shapes, **given}, hints) for given in profiles]
    return ChosenShapes(tuple(each.shapes for each in found), found[0].sources)


def check_asked(inputs: tuple[TensorSpec, ...], options: CompileOptions) -> None:
    """Raise ``InputError`` for a shape asked for that does not fit the inputs."""
    for given in options.profiles or ({},):
        check_shapes(inputs, {**options.shapes, **given})


def config_files(options: CompileOptions) -> dict[str, Path]:
    """Flag -> the user's file; raises ``InputError`` for one that is not there."""
    files = {}
    for name in CONFIG_FILES:
        given = getattr(options, name)
        if given is None:
            continue
        if not Path(given).is_file():
            raise InputError(
                f"--{name.replace('_', '-')}: {given} is not a file", hint="check the path"
            )
        files[name] = Path(given)
    return files


def staged_name(flag: str, file: Path) -> str:
    """The name that a file gets beside the model: its own may have characters atc refuses."""
    if flag == "insert_op_conf":
        return AIPP_NAME
    return f"{flag}{file.suffix if file.suffix in ('.json', '.ini', '.cfg', '.txt') else '.cfg'}"


def make_command(
    options: CompileOptions, soc: str, shapes: ShapeFlags, files: Mapping[str, str]
) -> AtcCommand:
    """The command; ``files`` maps flags to names in the directory that atc runs in.

    Raises ``InputError`` for further flags that are decided by other options.
    """
    for name in options.flags:
        if name in _OURS:
            raise InputError(
                f"--atc-flag {name}=... is decided by paddle2om",
                hint="give the option of paddle2om that it belongs to: --soc, --shape, --profile, "
                "--precision, --aipp and the like",
            )
    precision = options.precision
    if options.cann is not None and not is_known(
        all_flags()["precision_mode_v2"].since, options.cann
    ):
        precision = _OLDER_NAME.get(precision or "", precision)
    newer = precision in PRECISION_V2
    return AtcCommand(
        model=MODEL_NAME,
        output=OUTPUT_NAME,
        soc_version=soc,
        shapes=_with_layout(shapes, options.flags),
        precision_mode_v2=precision if newer else None,
        precision_mode=None if newer else precision,
        more=tuple((n, v) for n, v in options.flags.items() if n != "input_format"),
        cann=options.cann,
        **files,  # type: ignore[arg-type]
    )


def _with_layout(shapes: ShapeFlags, flags: Mapping[str, str]) -> ShapeFlags:
    """The layout asked for takes the place of the one that the profiles would bring."""
    if "input_format" not in flags:
        return shapes
    return ShapeFlags(
        shapes.input_shape, flags["input_format"], shapes.profile_flag, shapes.profiles
    )


def parse_flags(texts: Sequence[str]) -> dict[str, str]:
    """``["output_type=FP16"]`` -> ``{"output_type": "FP16"}``; raises ``InputError``."""
    flags: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.lstrip("-").partition("=")
        name = name.replace("-", "_")
        if not equals or not name:
            raise InputError(
                f"--atc-flag {text!r} is not NAME=VALUE", hint="for example output_type=FP16"
            )
        if name in flags:
            raise InputError(f"--atc-flag {name} is given twice", hint="keep one of them")
        flags[name] = value
    return flags


def paddlex_warnings(chosen: ChosenShapes, options: CompileOptions) -> list[tuple[str, str]]:
    """(what, what to do) for what PaddleX's OM runtime cannot run."""
    if options.target != "paddlex":
        return []
    notes = []
    if chosen.static is None:
        notes.append(
            (
                "PaddleX runs OM files of one static shape only, and this one has shape profiles",
                "compile one shape; or say --target any if something else runs it",
            )
        )
    elif any(shape and shape[0] != 1 for shape in chosen.static.values()):
        notes.append(
            (
                "PaddleX feeds what is left of a batch as it is, and the OM file takes only whole "
                "ones",
                "compile for batch 1; or say --target any if something else runs it",
            )
        )
    return notes
