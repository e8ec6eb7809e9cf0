"""Reads and checks the text of ``--input_shape`` and of the profiles that belong to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

from converter.atc.flags import refusal

#: One axis as atc's text has it: an extent, -1 for any, or a range.
Axis: TypeAlias = int | tuple[int, int]

#: The flags for shape profiles; an OM file has one kind at most.
PROFILE_FLAGS = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")

#: Fewest and most profiles of one OM file; Ascend950 takes more.
MIN_PROFILES, MAX_PROFILES, MAX_PROFILES_950 = 2, 100, 256

_INT64_MAX = 2**63 - 1
_FORM = "write it like x:1,3,48,320;y:1,2"


def parse_input_shape(text: str) -> dict[str, tuple[Axis, ...]]:
    """``x:1,3,-1,32~640;s:`` -> axes per input; refuses what atc refuses."""
    shapes: dict[str, tuple[Axis, ...]] = {}
    for entry in text.strip().removesuffix(";").split(";"):
        name, colon, dims = entry.rpartition(":")
        if not colon or not name.strip():
            raise refusal(
                f"--input_shape has an entry without a name: {entry!r}", hint=_FORM, code="E10002"
            )
        parts = [part.strip() for part in dims.split(",")] if dims.strip() else []
        shapes[name.strip()] = tuple(_axis(part) for part in parts)
    return shapes


def _axis(text: str) -> Axis:
    found = re.fullmatch(r"(-?\d+)(?:~(-?\d+))?", text)
    if found is None:
        raise refusal(
            f"--input_shape has an extent that is not a whole number: {text!r}",
            hint=_FORM,
            code="E10002",
        )
    numbers = [int(number) for number in found.groups() if number is not None]
    if any(number > _INT64_MAX for number in numbers):
        raise refusal(
            f"--input_shape has an extent that is too large: {text}", hint=_FORM, code="E10013"
        )
    if len(numbers) == 2:
        low, high = numbers
        return low, high
    if numbers[0] < -1 or numbers[0] == 0:
        raise refusal(
            f"--input_shape has the extent {numbers[0]}",
            hint="extents are positive; -1 makes an axis dynamic",
            code="E10011",
        )
    return numbers[0]


def check_shape_flags(values: Mapping[str, str]) -> None:
    """The checks of shape flags against each other, in atc's order."""
    given = [name for name in PROFILE_FLAGS if name in values]
    text = values.get("input_shape", "")
    if given and "~" in text:
        raise refusal(
            f"--{given[0]} and a range (~) in --input_shape exclude each other",
            hint="write -1 where the profiles put their values",
            code="E10040",
        )
    several = [*given, *(["input_shape_range"] if "input_shape_range" in values else [])]
    if len(several) > 1:
        names = " and ".join(f"--{name}" for name in several)
        raise refusal(f"{names} exclude each other", hint="keep one of them", code="E10009")
    if given and not text:
        raise refusal(
            f"--{given[0]} needs --input_shape",
            hint="give --input_shape with -1 where the profiles put their values",
            code="E10004",
        )
    if "input_shape_range" in values:
        _check_range_text(values["input_shape_range"])
        return
    if text:
        shapes = parse_input_shape(text)
        if given:
            check = {
                "dynamic_batch_size": _check_batch,
                "dynamic_image_size": _check_image,
                "dynamic_dims": _check_dims,
            }[given[0]]
            check(shapes, values[given[0]])


def _check_range_text(text: str) -> None:
    entry = r"[^:;]+:\[[\d~,\s-]*\]"
    if not re.fullmatch(rf"{entry}(;{entry})*;?", text.strip()):
        raise refusal(
            "--input_shape_range is not of the form name:[1~8,3];other:[1,2]",
            hint="use --input_shape with 1~8 instead",
            code="E10048",
        )


def _dynamic(shape: tuple[Axis, ...]) -> list[int]:
    return [axis for axis, extent in enumerate(shape) if extent == -1]


def _check_batch(shapes: Mapping[str, tuple[Axis, ...]], text: str) -> None:
    if re.search(r"[^\d,\s-]", text):
        raise refusal(
            f"--dynamic_batch_size takes numbers and commas, not {text!r}",
            hint="write it like 1,2,4",
            code="E10003",
        )
    if not any(shapes.values()):
        raise refusal(
            "--dynamic_batch_size is for inputs with a batch axis, and all are scalars",
            hint="leave it out",
            code="E10012",
        )
    for name, shape in shapes.items():
        if _dynamic(shape[1:]):
            raise refusal(
                f"--dynamic_batch_size with an axis of {name} in --input_shape that is -1 "
                "and not axis 0",
                hint="use --dynamic_dims with --input_format=ND",
                code="E10018",
            )
    if not any(_dynamic(shape) for shape in shapes.values()):
        raise refusal(
            "--dynamic_batch_size needs an input in --input_shape whose axis 0 is -1",
            hint="write -1 for the batch",
            code="E10031",
        )


def _check_image(shapes: Mapping[str, tuple[Axis, ...]], text: str) -> None:
    if re.search(r"[^\d,;\s-]", text):
        raise refusal(
            f"--dynamic_image_size takes numbers, commas and semicolons, not {text!r}",
            hint="write it like 48,320;48,640",
            code="E10003",
        )
    where = {name: _dynamic(shape) for name, shape in shapes.items() if _dynamic(shape)}
    if not where or any(axes != [2, 3] or len(shapes[name]) != 4 for name, axes in where.items()):
        raise refusal(
            "--dynamic_image_size needs rank-4 inputs in --input_shape with -1 at height and "
            "width, and only there",
            hint="use --dynamic_dims with --input_format=ND for other axes",
            code="E10019",
        )
    if any(len(profile) != 2 for profile in _rows(text)):
        raise refusal(
            f"--dynamic_image_size takes pairs of height and width, not {text!r}",
            hint="write it like 48,320;48,640",
            code="E10020",
        )


def _check_dims(shapes: Mapping[str, tuple[Axis, ...]], text: str) -> None:
    wanted = sum(len(_dynamic(shape)) for shape in shapes.values())
    if not wanted:
        raise refusal(
            "--dynamic_dims needs a -1 in --input_shape",
            hint="write -1 where the profiles put their values",
            code="E10001",
        )
    if re.search(r"[^\d,;\s-]", text):
        raise refusal(
            f"--dynamic_dims takes numbers, commas and semicolons, not {text!r}",
            hint="write it like 48,320;48,640",
            code="E10001",
        )
    if any(len(profile) != wanted for profile in _rows(text)):
        raise refusal(
            f"--dynamic_dims must have {wanted} values per profile, one for each -1 in "
            "--input_shape",
            hint="separate profiles with semicolons, values with commas",
            code="E10003",
        )


def _rows(text: str) -> list[list[str]]:
    rows = text.strip().removesuffix(";").split(";")
    return [[value.strip() for value in row.split(",")] for row in rows]


def check_profiles(values: Mapping[str, str], soc_version: str) -> None:
    """Count and values of the profiles; atc looks at these last, with the model loaded."""
    name = next((name for name in PROFILE_FLAGS if name in values), None)
    if name is None:
        return
    text = values[name].strip()
    rows = (
        [[value.strip()] for value in text.removesuffix(",").split(",")]
        if name == "dynamic_batch_size"
        else _rows(text)
    )
    most = MAX_PROFILES_950 if soc_version.startswith("Ascend950") else MAX_PROFILES
    if len(rows) < MIN_PROFILES:
        raise refusal(
            f"--{name} has {len(rows)} profile, and atc wants at least {MIN_PROFILES}",
            hint="for one shape write it in --input_shape, without profiles",
            code="E10035",
        )
    if len(rows) > most:
        raise refusal(
            f"--{name} has {len(rows)} profiles, and {most} are the most for {soc_version}",
            hint="leave some out; compile time and memory grow with each",
            code="E10036",
        )
    if any(len(first) != len(second) for first, second in pairwise(rows)):
        raise refusal(
            f"--{name} has profiles with different numbers of values",
            hint="every profile has the same number of values",
            code="E10037",
        )
    if any(not re.fullmatch(r"\d+", value) or int(value) == 0 for row in rows for value in row):
        raise refusal(
            f"--{name} has a value that is not a positive number",
            hint="profiles hold positive extents",
            code="E10038",
        )
    if len({tuple(map(int, row)) for row in rows}) < len(rows):
        raise refusal(
            f"--{name} has the same profile twice", hint="remove the duplicate", code="E10039"
        )
