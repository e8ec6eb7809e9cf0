"""The flags that ``paddle2om compile`` and ``paddle2om convert`` share."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from converter.model.compile_options import CompileOptions


class Target(StrEnum):
    """What will run the OM file."""

    PADDLEX = "paddlex"
    ANY = "any"


class ProfileFlag(StrEnum):
    """atc's three kinds of shape profiles."""

    BATCH = "dynamic_batch_size"
    IMAGE = "dynamic_image_size"
    DIMS = "dynamic_dims"


Shape = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="NAME=DIMS", help="Static shape of an OM input; repeatable."),
]
Profile = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME=DIMS;...",
        help="One shape profile: shapes of some inputs; repeat for each.",
    ),
]
ProfileKind = Annotated[
    ProfileFlag | None,
    typer.Option(
        "--profile-flag",
        metavar="|".join(ProfileFlag),
        help="The atc flag for profiles; chosen when not given.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="atc's precision mode, e.g. origin (default: fp16)."),
]
KeepDtype = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Operators that keep their dtype, one per line."),
]
CustomizeDtypes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Dtypes of operators' inputs and outputs, one per line."),
]
ModifyMixlist = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON: operators to compute in float16 or not."),
]
OpPrecisionMode = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=".ini: operators to compute in high precision."),
]
PrecisionFrom = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Precision as paddle2om forecast -o DIR found it."),
]
Aipp = Annotated[
    str | None,
    typer.Option(
        metavar="rgb|bgr|FILE",
        help="Normalise on the chip: feed uint8 images of this channel order; or an AIPP file.",
    ),
]
AtcFlag = Annotated[
    list[str] | None,
    typer.Option("--atc-flag", metavar="NAME=VALUE", help="Any other atc flag; repeatable."),
]
Cann = Annotated[
    str | None, typer.Option(metavar="VERSION", help="CANN version that runs atc, e.g. 8.1.")
]
On = Annotated[
    str,
    typer.Option(
        metavar="PLACE",
        help="Where atc runs: local, ssh:HOST, container:IMAGE; or bundle:DIR for later.",
    ),
]
TargetOption = Annotated[
    Target,
    typer.Option(
        metavar="|".join(Target), help="What runs the OM file; PaddleX takes one shape and batch 1."
    ),
]


def parse_shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """``["x=1,3,48,320"]`` -> ``{"x": (1, 3, 48, 320)}``; raises ``InputError``."""
    from converter.errors import InputError

    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, dims = text.rpartition("=")
        if name in shapes:
            raise InputError(f"--shape {name}= is given twice", hint="give each input one shape")
        if not name or not re.fullmatch(r" *-?[0-9]{1,18} *(, *-?[0-9]{1,18} *)*", dims):
            raise InputError(
                f"--shape {text!r} is not NAME=N,C,H,W", hint="for example --shape x=1,3,48,320"
            )
        shapes[name] = tuple(map(int, dims.split(",")))
    return shapes


def parse_profiles(texts: list[str]) -> tuple[dict[str, tuple[int, ...]], ...]:
    """``["x=1,3,48,320;y=1,2"]`` -> one dict per text; raises ``InputError``."""
    from converter.errors import InputError

    profiles = []
    for text in texts:
        try:
            profiles.append(parse_shapes([part for part in text.split(";") if part.strip()]))
        except InputError as error:
            raise InputError(
                f"--profile {text!r}: {error.message.replace('--shape ', '')}",
                hint="for example --profile x=1,3,48,320 --profile x=1,3,48,640",
            ) from None
    return tuple(profiles)


def compile_options(
    *,
    soc: str | None,
    shape: list[str] | None,
    profile: list[str] | None,
    profile_flag: ProfileFlag | None,
    precision: str | None,
    keep_dtype: Path | None,
    customize_dtypes: Path | None,
    modify_mixlist: Path | None,
    op_precision_mode: Path | None,
    precision_from: Path | None,
    aipp: str | None,
    atc_flag: list[str] | None,
    cann: str | None,
    target: Target,
    on: str = "local",
    timeout: float | None = None,
) -> CompileOptions:
    """The options that the flags say; raises ``InputError``."""
    shapes, profiles = parse_shapes(shape or []), parse_profiles(profile or [])
    from converter.atc.from_options import parse_flags
    from converter.atc.runners.place import absolute_place
    from converter.model.compile_options import CompileOptions

    def absolute(path: Path | None) -> str | None:
        return str(path.absolute()) if path else None

    return CompileOptions(
        soc=soc,
        shapes=shapes,
        profiles=profiles,
        profile_flag=profile_flag.value if profile_flag else None,
        precision=precision,
        keep_dtype=absolute(keep_dtype),
        customize_dtypes=absolute(customize_dtypes),
        modify_mixlist=absolute(modify_mixlist),
        op_precision_mode=absolute(op_precision_mode),
        precision_from=absolute(precision_from),
        aipp=aipp if aipp in ("rgb", "bgr") else absolute(Path(aipp) if aipp else None),
        flags=parse_flags(atc_flag or []),
        cann=cann,
        target=target.value,
        on=absolute_place(on),
        timeout=timeout,
    )
