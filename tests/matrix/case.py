"""What a case of the matrix is: something built in Paddle, its inputs, and how it is judged.

A family file makes cases with ``Family.case`` (a function of tensors), ``Family.layer`` (a factory
of a ``Layer``) and the input helpers ``f32``, ``i64`` and so on. Nothing is built when a family is
imported; ``saving`` calls ``Case.build`` in a worker.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

#: Raised when saved models of an earlier version of this instrument must not be used again.
CACHE_VERSION = 2

#: Opsets that every case is converted at, and those that only a sample of cases is.
OPSETS = (11, 13, 17)
SAMPLED_OPSETS = (7, 9, 20)

#: One case in so many is in the sample.
SAMPLE_EVERY = 5

#: Largest difference, relative to the largest reference value, that is still the same number.
DEFAULT_RTOL = {"float16": 1e-2, "bfloat16": 8e-2, "float32": 1e-4, "float64": 1e-4}


@dataclass(frozen=True)
class Input:
    """One input: the shapes it has in the two runs, its dtype and where its values lie.

    A dim that differs between the two shapes is dynamic in the saved program. ``draw`` makes the
    values itself where a range does not say enough (sorted, positive definite, boxes).
    """

    name: str
    first: Shape
    second: Shape
    dtype: str = "float32"
    low: float | None = None
    high: float | None = None
    draw: Callable[[np.random.Generator, Shape], Array] | None = None

    @property
    def dims(self) -> list[int | None]:
        """The shape of the ``InputSpec``: None where the two runs differ."""
        return [a if a == b else None for a, b in zip(self.first, self.second, strict=True)]

    def values(self, rng: np.random.Generator, shape: Shape) -> Array:
        """Random values of this input's dtype."""
        if self.draw is not None:
            return np.ascontiguousarray(self.draw(rng, shape)).astype(self.dtype).reshape(shape)
        kind = np.dtype(self.dtype).kind
        if kind == "b":
            return rng.integers(0, 2, shape).astype(bool)
        if kind in "iu":
            low = 0 if self.low is None else int(self.low)
            high = 8 if self.high is None else int(self.high)
            return rng.integers(low, high, shape).astype(self.dtype)
        if self.low is not None or self.high is not None:
            low, high = self.low or 0.0, 1.0 if self.high is None else self.high
            return rng.uniform(low, high, shape).astype(self.dtype)
        return rng.normal(0.0, 1.5, shape).astype(self.dtype)


def given(
    dtype: str,
) -> Callable[..., Input]:
    """A helper that makes inputs of one dtype: ``f32("x", (2, 3), (1, 3), low=0, high=1)``."""

    def make(
        name: str,
        first: Shape,
        second: Shape | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        draw: Callable[[np.random.Generator, Shape], Array] | None = None,
    ) -> Input:
        return Input(name, first, first if second is None else second, dtype, low, high, draw)

    return make


f16, f32, f64 = given("float16"), given("float32"), given("float64")
i8, i16, i32, i64 = given("int8"), given("int16"), given("int32"), given("int64")
u8, boolean = given("uint8"), given("bool")


@dataclass(frozen=True)
class Case:
    """One row of the matrix.

    ``build`` returns a callable of Paddle tensors, or a ``Layer``. ``random`` outputs are judged by
    shape, dtype and ``interval`` only. ``task="boxes"`` compares rows in any order. ``rtol``
    overrides ``DEFAULT_RTOL`` and wants a reason in ``note``. ``weak`` says that the outputs are
    meant to be empty or constant, so that the comparison cannot say much.
    """

    family: str
    name: str
    build: Callable[[], Callable[..., Any]]
    inputs: tuple[Input, ...]
    sample: bool
    digest: str
    random: bool = False
    interval: tuple[float, float] | None = None
    task: str = ""
    rtol: float | None = None
    atol: float = 0.0
    weak: bool = False
    timeout: float = 60.0
    note: str = ""

    @property
    def id(self) -> str:
        """``family.name``: what filters match, and the name of the model's directory."""
        return f"{self.family}.{self.name}"

    @property
    def opsets(self) -> tuple[int, ...]:
        """The opsets this case is converted at."""
        return tuple(sorted((*OPSETS, *SAMPLED_OPSETS))) if self.sample else OPSETS


@dataclass
class Family:
    """The cases of one file. ``digest`` follows the file, so that a change builds them anew."""

    name: str
    file: str
    cases: list[Case] = field(default_factory=list)

    def case(self, name: str, function: Callable[..., Any], *inputs: Input, **options: Any) -> None:
        """Add a case: a function of tensors, named after its inputs."""
        self._add(name, lambda: function, inputs, options)

    def layer(
        self, name: str, factory: Callable[[], Callable[..., Any]], *inputs: Input, **options: Any
    ) -> None:
        """Add a case whose weights ``factory`` makes, in a worker and after seeding."""
        self._add(name, factory, inputs, options)

    def _add(
        self,
        name: str,
        build: Callable[[], Callable[..., Any]],
        inputs: tuple[Input, ...],
        options: dict[str, Any],
    ) -> None:
        """Add a case and, with ``static=True``, its twin without dynamic dims."""
        twin = options.pop("static", False)
        sample = options.pop("sample", None)
        if sample is None:
            sample = zlib.crc32(f"{self.name}.{name}".encode()) % SAMPLE_EVERY == 0
        if any(case.name == name for case in self.cases):
            raise ValueError(f"{self.name}.{name} is there twice")
        case = Case(self.name, name, build, inputs, sample, self._digest(name), **options)
        self.cases.append(case)
        if twin:
            still = tuple(replace(given, second=given.first) for given in inputs)
            name = f"{name}-static"
            self.cases.append(
                replace(case, name=name, inputs=still, sample=False, digest=self._digest(name))
            )

    def _digest(self, name: str) -> str:
        text = Path(self.file).read_bytes()
        return hashlib.sha256(text + f"{name} {CACHE_VERSION}".encode()).hexdigest()[:16]

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)
