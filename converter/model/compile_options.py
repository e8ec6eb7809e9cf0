"""How to compile a model for Ascend: what ``paddle2om compile`` takes as flags, as plain data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from converter.errors import InputError
from converter.model.record import Record

#: The flag that shape profiles become; chosen from the profiles when nobody says.
ProfileFlag = Literal["dynamic_batch_size", "dynamic_image_size", "dynamic_dims"]

#: Stands for the name of the input in ``shapes`` and ``profiles``, for models that have only one.
ONLY_INPUT = "*"

#: Values of atc's ``--precision_mode_v2`` and of the older ``--precision_mode``. One of them,
#: ``cube_fp16in_fp32out``, is in both and goes to the newer.
PRECISION_V2 = (
    "fp16",
    "origin",
    "cube_fp16in_fp32out",
    "mixed_float16",
    "mixed_bfloat16",
    "cube_hif8",
    "mixed_hif8",
)
PRECISION_V1 = (
    "force_fp16",
    "force_fp32",
    "allow_mix_precision",
    "allow_mix_precision_fp16",
    "allow_mix_precision_bf16",
    "allow_fp32_to_fp16",
    "allow_fp32_to_bf16",
    "must_keep_origin_dtype",
)

#: Files whose text is handed to atc, each a field of ``CompileOptions`` and an atc flag.
CONFIG_FILES = ("keep_dtype", "customize_dtypes", "modify_mixlist", "op_precision_mode")


class PrecisionForecast(Record):
    """What is expected of a model in atc's precision, before an NPU has run it.

    ``acceptable`` is False when its outputs are expected to leave the tolerance; ``reason`` says
    which and by how much, as the end of a sentence.
    """

    acceptable: bool
    reason: str


class CompileOptions(Record):
    """How to compile.

    ``soc`` is an atc ``--soc_version``, a card's name or ``auto``; None leaves compiling out.
    ``shapes`` maps a graph input to its static shape, ``profiles`` holds shapes that differ from
    one profile to the next; inputs that a profile leaves out have their shape of ``shapes``.
    ``precision`` is a value of ``PRECISION_V2`` or ``PRECISION_V1``. The fields of
    ``CONFIG_FILES`` are paths. ``flags`` are further atc flags. ``cann`` is the version of the
    toolkit that will run the command, where it is known. ``target`` is what will run the OM file:
    PaddleX takes one static shape, batch 1, and inputs in alphabetical order. ``on`` is where atc
    runs, as ``converter.atc.runners.place`` reads it. ``timeout`` is the seconds that atc may take;
    None leaves it to the model's own limit. ``precision_from`` is the report of a forecast, or the
    directory it is in; ``forecast`` and the digest of the ONNX file it is of, ``forecast_of``, are
    read from there.
    """

    soc: str | None = None
    shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    profiles: tuple[dict[str, tuple[int, ...]], ...] = ()
    profile_flag: ProfileFlag | None = None
    precision: str | None = None
    keep_dtype: str | None = None
    customize_dtypes: str | None = None
    modify_mixlist: str | None = None
    op_precision_mode: str | None = None
    aipp: str | None = None
    flags: dict[str, str] = Field(default_factory=dict)
    cann: str | None = None
    target: Literal["paddlex", "any"] = "paddlex"
    on: str = "local"
    timeout: float | None = None
    precision_from: str | None = None
    forecast: PrecisionForecast | None = None
    forecast_of: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """The fields that say something, ``soc`` left out: all of them mean nothing without it."""
        given = self.model_dump(exclude_defaults=True)
        return tuple(name for name in given if name not in ("soc", "timeout", "target"))

    @model_validator(mode="after")
    def _check_precision(self) -> CompileOptions:
        known = (*PRECISION_V2, *PRECISION_V1)
        if self.precision is not None and self.precision not in known:
            raise InputError(
                f"--precision cannot be {self.precision!r}",
                hint=f"{', '.join(PRECISION_V2)}; or an older name: {', '.join(PRECISION_V1)}",
            )
        return self
