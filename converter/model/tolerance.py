"""How far an output may be from Paddle's: the gate's limits, and what a user says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AliasChoices, Field, ValidationError

from converter.errors import InputError
from converter.model.problems import first_problem
from converter.model.record import Record

#: A limit on a difference: finite and not negative.
Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: A part of a whole.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Cosine = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]

#: What stands for any text in the name of an output.
_WILDCARDS = frozenset("*?[")


class Tolerance(Record):
    """The gate: an output passes when ``max_abs <= atol + rtol * max|reference|``, and cosine.

    The other limits are on metrics of ``OutputComparison`` and are checked only where they are set.
    """

    atol: float
    rtol: float
    min_cosine: float
    max_relative_l2: float | None = None
    max_ulp: float | None = None
    min_top1: float | None = None
    min_top5: float | None = None
    min_exact: float | None = None


class ToleranceOverride(Record):
    """What a user sets of a ``Tolerance``; None leaves it as it is.

    ``atol`` may also be called ``max_abs``. ``atol``, ``rtol`` and ``min_cosine`` are for floats.
    ``max_relative_l2`` and ``max_ulp`` limit those metrics, ``min_top1`` and ``min_top5`` the share
    of rows whose best class, and of best five classes, are Paddle's. ``min_exact`` is the share of
    elements that have to be equal: for floats one limit more, for integers and bools instead of
    all of them.
    """

    atol: Limit | None = Field(default=None, validation_alias=AliasChoices("atol", "max_abs"))
    rtol: Limit | None = None
    min_cosine: Cosine | None = None
    max_relative_l2: Limit | None = None
    max_ulp: Limit | None = None
    min_top1: Share | None = None
    min_top5: Share | None = None
    min_exact: Share | None = None

    @property
    def given(self) -> dict[str, float]:
        """The fields that are set."""
        return {name: value for name, value in self if value is not None}


#: Overrides by the name of an output, or by a pattern as of a shell (``*``, ``?``, ``[ab]``).
Tolerances = Mapping[str, ToleranceOverride]


def override_for(name: str, tolerances: Tolerances) -> ToleranceOverride:
    """What is set for the output ``name``: later patterns win over earlier, its own name over all.

    Field by field, so that a pattern may set ``rtol`` and the name itself ``atol``.
    """
    found: dict[str, float] = {}
    for pattern, override in tolerances.items():
        if pattern != name and fnmatchcase(name, pattern):
            found |= override.given
    if name in tolerances:
        found |= tolerances[name].given
    return ToleranceOverride.model_validate(found)


def check_names(tolerances: Tolerances, outputs: Iterable[str]) -> None:
    """Raise ``InputError`` for a name without wildcards that no output has.

    A misspelt name would leave its output with the default, which may be the looser one.
    """
    known = list(outputs)
    for name in tolerances:
        literal = not {"*", "?"} & set(name)  # brackets alone may be a part of the name
        if literal and not any(name == one or fnmatchcase(one, name) for one in known):
            raise InputError(
                f"a tolerance is given for {name!r}, which is not an output of this model",
                hint=f"its outputs are {', '.join(known)}; a pattern such as '*' may match none",
            )


def parse_tolerances(texts: Iterable[str]) -> dict[str, ToleranceOverride]:
    """``["y:atol=1e-4,rtol=0"]`` -> ``{"y": ToleranceOverride(...)}``; raises ``InputError``.

    Without a name it is of every output. What is said of one name in several texts is merged.
    """
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, colon, limits = text.rpartition(":")
        known = found.setdefault(name if colon else "*", {})
        for part in limits.split(","):
            key, equals, value = (each.strip() for each in part.partition("="))
            try:
                number = float(value)
            except ValueError:
                equals = ""
            if not (equals and key) or (colon and not name) or key in known:
                told = "is given twice" if key in known else "is not NAME:LIMIT=NUMBER,..."
                raise InputError(
                    f"--tolerance {text!r}: {part.strip()!r} {told}",
                    hint="for example --tolerance 'softmax_*:atol=1e-4,min_top1=1'",
                )
            known[key] = number
    return {name: _override(name, limits) for name, limits in found.items()}


def _override(name: str, limits: dict[str, float]) -> ToleranceOverride:
    try:
        return ToleranceOverride.model_validate(limits)
    except ValidationError as error:
        raise InputError(
            f"tolerance of {name!r}: {first_problem(error)}",
            hint=f"limits are {', '.join(ToleranceOverride.model_fields)}; shares are 0 to 1",
        ) from error
