"""Paddle's own outputs: what every comparison is against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from converter.accuracy import metrics
from converter.accuracy.inputs import (
    InputCase,
    Kind,
    Shapes,
    alternatives,
    make_inputs,
    narrower,
    plan_cases,
    plan_sweep,
    reshaped,
)
from converter.accuracy.kept import Keep, pack, unpack
from converter.accuracy.nearby import nearby_inputs
from converter.accuracy.predictor import LaterPredictor, Predictor
from converter.accuracy.user_data import Given
from converter.errors import InputError, StageError
from converter.model.tensor import ShapeHint, TensorSpec

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ReferenceCase:
    """One set of inputs and what Paddle computes from it (output name -> array)."""

    case: InputCase
    inputs: Arrays
    outputs: Arrays


class Swept(NamedTuple):
    """One shape of a sweep: what Paddle computes on it, or why it computes nothing.

    ``what`` is special about the shape, and ``instead_of`` a larger one that it stands for.
    """

    what: str
    shapes: Shapes
    instead_of: Shapes | None
    ran: ReferenceCase | None
    refused: str


class PaddleReference:
    """Reference cases for one model, computed on demand and kept for every stage that compares.

    With ``keep`` all generated cases are computed at once and kept there, and an earlier run's are
    taken from there; those with the user's own data are computed anew.
    """

    def __init__(
        self,
        predictor: Predictor,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        hints: dict[str, ShapeHint],
        value_range: tuple[float, float] | None,
        seed: int,
        given: tuple[Given, ...] = (),
        keep: Keep | None = None,
    ) -> None:
        self._keep = keep
        self._predictor = predictor
        self._inputs = inputs
        self._output_names = [spec.name for spec in outputs]
        self._value_range = value_range
        self._planned = plan_cases(inputs, hints, value_range, seed=seed)
        self._hints = hints
        self._given = given
        self._seed = seed
        self._done: list[ReferenceCase] = []
        self._refused: dict[str, StageError] = {}
        self._instead: dict[str, Shapes] = {}
        self._too_wide: dict[Kind, str] = {}

    def cases(self) -> Iterator[ReferenceCase]:
        """Every case, in order, the user's own last; each is computed at most once.

        Raises ``StageError`` when Paddle runs none of the shapes tried for a case, and
        ``InputError`` when it does not run the user's data.
        """
        if self._keep is not None and not self._done:
            with self._keep.once():
                self._recall_or_compute(self._keep)
        yield from self._done
        while len(self._done) < len(self._planned):
            self._done.append(self._compute(self._planned[len(self._done)]))
            yield self._done[-1]
        while len(self._done) < len(self._planned) + len(self._given):
            self._done.append(self._run_given(self._given[len(self._done) - len(self._planned)]))
            yield self._done[-1]

    def swept(self) -> Iterator[Swept]:
        """Every shape of a sweep (``inputs.sweep``), computed when asked for and not kept.

        A shape that Paddle refuses has no stand-in. Not after ``finish``.
        """
        for planned in plan_sweep(self._inputs, self._hints, seed=self._seed):
            before = dict(self._refused)
            found = self._attempt(planned.case)
            self._refused = before
            ran = found if isinstance(found, ReferenceCase) else None
            refused = "" if isinstance(found, ReferenceCase) else found.message
            yield Swept(planned.what, planned.case.shapes, planned.instead_of, ran, refused)

    def _run_given(self, given: Given) -> ReferenceCase:
        shapes = {name: array.shape for name, array in given.inputs.items()}
        case = InputCase(label=given.label, shapes=shapes, seed=self._seed, kind="given")
        try:
            return ReferenceCase(
                case, given.inputs, self._predictor.run(given.inputs, self._output_names)
            )
        except StageError as error:
            raise InputError(
                f"{given.label}: {error.message}",
                hint="give data of a shape and with values that the model takes",
            ) from error

    def _recall_or_compute(self, keep: Keep) -> None:
        """Take the cases that are kept; where there are none, compute all and keep them."""
        data = keep.load()
        if data is not None and self._recall(data):
            return
        if isinstance(self._predictor, LaterPredictor):
            self._predictor.open()  # a model that cannot be loaded is no refused shape
        while len(self._done) < len(self._planned):
            self._done.append(self._compute(self._planned[len(self._done)]))
        about = {
            "cases": [done.case.model_dump(mode="json") for done in self._done],
            "refused": {
                shapes: [error.message, error.hint] for shapes, error in self._refused.items()
            },
            "too_wide": self._too_wide,
        }
        keep.save(pack(about, [done.outputs for done in self._done]))

    def _recall(self, data: bytes) -> bool:
        """Whether ``data`` holds this model's cases; then they count as computed."""
        try:
            about, outputs = unpack(data)
            cases = [InputCase.model_validate(case) for case in about["cases"]]
            refused = {
                shapes: StageError(message, hint=hint)
                for shapes, (message, hint) in about["refused"].items()
            }
            too_wide = dict(about["too_wide"])
        except (ValueError, KeyError):
            return False
        if len(cases) != len(self._planned) or any(
            sorted(made) != sorted(self._output_names) for made in outputs
        ):
            return False
        self._refused, self._too_wide = refused, too_wide
        self._done = [
            ReferenceCase(case, make_inputs(case, self._inputs, self._value_range), made)
            for case, made in zip(cases, outputs, strict=True)
        ]
        return True

    def finish(self) -> None:
        """Compute every case now and let Paddle's copy of the weights go."""
        for _ in self.cases():
            pass
        self._predictor.release()

    def first(self, count: int) -> list[ReferenceCase]:
        """One case for each of the first ``count`` input shapes, of different kinds if possible."""
        chosen: dict[str, ReferenceCase] = {}
        for case in self.cases():
            key = _told(case.case.shapes)
            others = {other.case.kind for name, other in chosen.items() if name != key}
            if key not in chosen:
                if len(chosen) < count:
                    chosen[key] = case
            elif chosen[key].case.kind in others and case.case.kind not in others:
                chosen[key] = case
        return list(chosen.values())

    def nearby(self, case: ReferenceCase) -> Iterator[tuple[float, Arrays]]:
        """What Paddle answers to inputs that differ from the case's by a rounding error.

        Yields the largest relative change and the outputs. Not after ``finish``.
        """
        for change, inputs in nearby_inputs(case.inputs, case.case.seed):
            yield change, self._predictor.run(inputs, self._output_names)

    @property
    def rejected(self) -> list[str]:
        """Shapes Paddle itself refused, with its reason; others were tried in their place."""
        return [f"{shapes}: {error.message}" for shapes, error in self._refused.items()]

    @property
    def only_shape(self) -> str:
        """The one shape that Paddle ran where several were planned, "" when it ran more."""
        ran = {_told(done.case.shapes) for done in self._done}
        planned = {_told(case.shapes) for case in self._planned}
        return ran.pop() if len(ran) == 1 < len(planned) else ""

    def uncovered(self) -> list[str]:
        """Dynamic dims that were to have several extents, and that Paddle ran with one."""
        ran = _extents(self._inputs, [done.case for done in self._done])
        planned = _extents(self._inputs, self._planned)
        return [
            f"{dim} {min(ran[dim])}"
            for dim, extents in planned.items()
            if len(ran.get(dim, ())) == 1 < len(extents)
        ]

    def too_wide(self) -> dict[Kind, str]:
        """Kinds of values that were planned and left out, with the reason that Paddle gave."""
        return dict(self._too_wide)

    def _compute(self, planned: InputCase) -> ReferenceCase:
        """Run a case: as planned, else on a shape not run yet, else on one that is known to run."""
        error: StageError | None = None
        for case in self._candidates(planned):
            result = self._attempt(case)
            if isinstance(result, ReferenceCase):
                self._instead[_told(planned.shapes)] = result.case.shapes
                return result
            error = error or result
        assert error is not None
        raise error

    def _candidates(self, planned: InputCase) -> Iterator[InputCase]:
        instead = self._instead.get(_told(planned.shapes), planned.shapes)
        yield reshaped(planned, instead)
        known = {_told(done.case.shapes): done.case.shapes for done in self._done}
        for case in alternatives(planned):
            if _told(case.shapes) not in known:
                yield case
        # The same shape again, but with other values: cases differ in their seeds.
        for shapes in known.values():
            if shapes != instead:
                yield reshaped(planned, shapes)

    def _attempt(self, case: InputCase) -> ReferenceCase | StageError:
        """Run a case, with tamer values where Paddle refuses its own or answers with NaN to them.

        A shape that Paddle refuses with any values is remembered, and not tried again.
        """
        told = _told(case.shapes)
        if told in self._refused:
            return self._refused[told]
        error: StageError | None = None
        given_up: dict[Kind, str] = {}
        for each in (case, *narrower(case, self._inputs)):
            if each.kind in self._too_wide:
                continue
            inputs = make_inputs(each, self._inputs, self._value_range)
            try:
                outputs = self._predictor.run(inputs, self._output_names)
            except StageError as refused:
                error = error or refused
                given_up[each.kind] = refused.message
                continue
            # Not to be expected of real inputs, and a NaN may go another way in every runtime.
            if each.kind in ("wide", "signed") and _is_news(outputs, self._done):
                given_up[each.kind] = "the answer has NaN or infinity"
                continue
            self._too_wide.update(given_up)
            return ReferenceCase(each, inputs, outputs)
        assert error is not None  # the tamest kind is always tried, and its NaNs are accepted
        if all(_told(done.case.shapes) != told for done in self._done):
            self._refused[told] = error
        return error


def _is_news(outputs: Arrays, done: list[ReferenceCase]) -> bool:
    """Whether there is NaN or infinity here, and in no case so far."""
    return _is_odd(outputs) and not any(_is_odd(case.outputs) for case in done)


def _is_odd(outputs: Arrays) -> bool:
    return any(
        metrics.is_comparable(tensor.dtype)
        and not metrics.is_integral(tensor.dtype)
        and (metrics.count_nan(tensor) or metrics.count_inf(tensor))
        for tensor in outputs.values()
    )


def _told(shapes: Shapes) -> str:
    """Shapes as text, which is also what they are looked up by."""
    return ", ".join(f"{name}{list(shape)}" for name, shape in sorted(shapes.items()))


def _extents(specs: tuple[TensorSpec, ...], cases: list[InputCase]) -> dict[str, set[int]]:
    """The extents that each dynamic dim has in some cases."""
    found: dict[str, set[int]] = {}
    for case in cases:
        for spec in specs:
            for dim, extent in zip(spec.shape, case.shapes[spec.name], strict=True):
                if isinstance(dim, str):
                    found.setdefault(dim, set()).add(extent)
    return found
