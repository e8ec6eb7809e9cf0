"""Compares two sides (``sides``) on the cases that fit them.

Two models are run on generated inputs; a model and a record on the recorded inputs; two records are
compared as they are, if they were made from the same inputs as far as both have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from converter.accuracy.gate import compare_case
from converter.accuracy.inputs import Kind
from converter.accuracy.limits import Limits
from converter.accuracy.nearby import agree_nearby, nearby_inputs
from converter.accuracy.plain import PLAIN, run_plain
from converter.accuracy.reference import PaddleReference, ReferenceCase
from converter.accuracy.sides import Model, Recorded, Side
from converter.accuracy.swept import not_run, swept_shape
from converter.accuracy.task.agreement import MEANINGFUL, task_agreement
from converter.accuracy.user_data import checked_inputs
from converter.errors import InputError, StageError
from converter.model.comparison import CaseComparison, SweptShape
from converter.model.inference_yml import InferenceYml
from converter.model.tensor import TensorSpec, narrowed

if TYPE_CHECKING:
    from converter.accuracy.reference import Arrays


class Pair(NamedTuple):
    """One case: what each side gives to the inputs, all under the reference's names.

    ``kind`` is that of the inputs; recorded ones of any other origin are ``given``.
    """

    label: str
    seed: int
    inputs: Arrays
    reference: Arrays
    candidate: Arrays
    kind: Kind = "given"


@dataclass(frozen=True)
class Versus:
    """A reference and a candidate. ``rename`` maps the reference's names to the candidate's.

    ``random`` names outputs that the reference draws. ``notes`` says what could not be compared.
    """

    reference: Side
    candidate: Side
    seed: int = 0
    rename: Mapping[str, str] = field(default_factory=dict)
    random: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @cached_property
    def generated(self) -> PaddleReference:
        """The cases on which two models are compared; the reference is a model."""
        assert isinstance(self.reference, Model)
        if isinstance(self.candidate, Model):
            others = {spec.name: spec for spec in self.candidate.inputs}
            beside = [others[self.rename.get(s.name, s.name)] for s in self.reference.inputs]
            inputs = narrowed(self.reference.inputs, beside)
            return reference_of(replace(self.reference, inputs=inputs), self.seed)
        return reference_of(self.reference, self.seed)

    @property
    def is_of_models(self) -> bool:
        """Whether both sides can be run."""
        return isinstance(self.reference, Model) and isinstance(self.candidate, Model)

    def sweep(self, limits: Limits) -> Iterator[tuple[SweptShape, CaseComparison | None]]:
        """The shapes of a sweep of two models; no comparison where the reference refuses one.

        A shape that only the candidate refuses has failed. Raises ``InputError`` for records.
        """
        if not (isinstance(self.reference, Model) and isinstance(self.candidate, Model)):
            raise InputError(
                "a record cannot be run on other shapes", hint="leave out --sweep, or give models"
            )
        lost = False
        for swept in self.generated.swept():
            compared = None
            if swept.ran is not None:
                try:
                    pair = self._pair(swept.ran, self.candidate)
                    compared = self._judge(pair, limits, closely=not lost)
                    compared = self._with_task(pair, compared)
                except StageError as error:
                    compared = not_run(swept.ran.case, swept.ran.outputs, error.message)
                lost = lost or not compared.passed
            yield swept_shape(swept), compared

    def compare(self, limits: Limits) -> Iterator[CaseComparison]:
        """Compare all cases. Raises ``InputError`` and ``StageError`` as ``pairs``."""
        lost = False
        for pair in self.pairs():
            # One lost case loses the model: the others need not be looked into that closely.
            compared = self._judge(pair, limits, closely=not lost)
            lost = lost or not compared.passed
            yield compared if pair.label.endswith(PLAIN) else self._with_task(pair, compared)

    @property
    def yml(self) -> InferenceYml:
        """The ``inference.yml`` that says what kind of model it is: the reference's, if it does."""
        files = [side.yml for side in (self.reference, self.candidate) if isinstance(side, Model)]
        said = (yml for yml in files if yml.postprocess or yml.labels)
        return next(said, InferenceYml())

    def _with_task(self, pair: Pair, compared: CaseComparison) -> CaseComparison:
        """The comparison with what users would notice, where the inputs have something on them."""
        if pair.kind not in MEANINGFUL:
            return compared
        found = task_agreement(self.yml, pair.reference, pair.candidate)
        return compared.model_copy(update={"task": found}) if found else compared

    def pairs(self) -> Iterator[Pair]:
        """Run what has to be run.

        Raises ``InputError`` where the sides do not belong together: other inputs, other outputs,
        other ranks, cases that only one has. ``StageError`` when a model refuses the inputs.
        """
        self._check_outputs()
        if isinstance(self.reference, Model) and isinstance(self.candidate, Model):
            self._check_inputs(self.reference, self.candidate)
            yield from self._of_models(self.candidate)
        elif isinstance(self.reference, Recorded) and isinstance(self.candidate, Recorded):
            yield from self._of_records(self.reference, self.candidate)
        elif isinstance(self.reference, Recorded) and isinstance(self.candidate, Model):
            for label, (inputs, wanted) in self.reference.cases.items():
                fed = self._feed(self.reference, label, inputs, self.candidate, self.rename)
                made = self._named(self.candidate.run(fed))
                yield Pair(label, 0, inputs, wanted, made, _kind_of(label))
        elif isinstance(self.reference, Model) and isinstance(self.candidate, Recorded):
            old = {new: name for name, new in self.rename.items()}
            for label, (inputs, made) in self.candidate.cases.items():
                fed = self._feed(self.candidate, label, inputs, self.reference, old)
                wanted = self.reference.run(fed)
                yield Pair(label, 0, fed, wanted, self._named(made), _kind_of(label))

    def _of_models(self, candidate: Model) -> Iterator[Pair]:
        first: ReferenceCase | None = None
        for case in self.generated.cases():
            first = first or case
            yield self._pair(case, candidate)
        opener = candidate.plain
        if first is None or opener is None:
            return
        fed = self._fed(first)
        found, why = run_plain(lambda: opener().run(fed, candidate.output_names))
        if found is None:
            self.notes.append(why)
            return
        label = first.case.label + PLAIN
        named = self._named(found)
        yield Pair(label, first.case.seed, first.inputs, first.outputs, named, first.case.kind)

    def _fed(self, case: ReferenceCase) -> Arrays:
        return {self.rename.get(name, name): array for name, array in case.inputs.items()}

    def _pair(self, case: ReferenceCase, candidate: Model) -> Pair:
        made = self._named(candidate.run(self._fed(case)))
        label, seed = case.case.label, case.case.seed
        return Pair(label, seed, case.inputs, case.outputs, made, case.case.kind)

    def _of_records(self, reference: Recorded, candidate: Recorded) -> Iterator[Pair]:
        found = dict(candidate.cases)
        if len(found) == len(reference.cases) == 1:  # two files, whatever they are called
            found = dict(zip(reference.cases, found.values(), strict=True))
        if odd := sorted(reference.cases.keys() ^ found.keys()):
            raise InputError(
                f"cases that only one side has: {', '.join(odd)}",
                hint="records belong together when their files have the same names",
            )
        for label, (inputs, wanted) in reference.cases.items():
            others, made = found[label]
            others = self._named(others)
            if inputs and others and not inputs.keys() & others.keys():
                raise InputError(
                    f"{label}: the sides recorded other inputs: {', '.join(inputs)}, and "
                    f"{', '.join(others)}",
                    hint="if only names differ, pair them with --rename REFERENCE=OTHER",
                )
            differing = [
                name
                for name in inputs.keys() & others.keys()
                if not _same(inputs[name], others[name])
            ]
            if differing:
                raise InputError(
                    f"{label}: the sides were made from other inputs: {', '.join(differing)}",
                    hint="run both on the same inputs",
                )
            yield Pair(label, 0, inputs, wanted, self._named(made), _kind_of(label))

    def _judge(self, pair: Pair, limits: Limits, *, closely: bool) -> CaseComparison:
        def compare(b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
            shapes = {name: array.shape for name, array in pair.inputs.items()}
            return compare_case(
                pair.label,
                shapes,
                pair.seed,
                b,
                a,
                limits=limits.widened(wider),
                random=self.random,
                any_width=isinstance(self.candidate, Recorded),
            )

        compared = compare(pair.reference, pair.candidate)
        if compared.passed or not closely or not isinstance(self.reference, Model):
            return compared
        model = self.reference
        answers = (
            (change, model.run(inputs)) for change, inputs in nearby_inputs(pair.inputs, pair.seed)
        )
        return agree_nearby(compare, pair.reference, pair.candidate, answers) or compared

    def _named(self, outputs: Arrays) -> Arrays:
        """The candidate's arrays under the reference's names. Raises ``InputError``."""
        old = {new: name for name, new in self.rename.items()}
        named = {old.get(name, name): array for name, array in outputs.items()}
        if len(named) < len(outputs):
            raise InputError(
                f"--rename gives two of {', '.join(outputs)} one name",
                hint="swap two names with --rename A=B --rename B=A",
            )
        return named

    def _check_outputs(self) -> None:
        known = {*self.reference.output_names, *self.reference.input_names}
        if odd := sorted(self.rename.keys() - known):
            raise InputError(
                f"--rename of {odd[0]!r}, which is no input or output of the reference",
                hint=f"it has {', '.join(sorted(known))}",
            )
        _check_same(
            "outputs",
            self.reference.output_names,
            list(self._named(dict.fromkeys(self.candidate.output_names))),  # type: ignore[arg-type]
        )

    def _check_inputs(self, reference: Model, candidate: Model) -> None:
        old = {new: name for name, new in self.rename.items()}
        renamed = [
            spec.model_copy(update={"name": old.get(spec.name, spec.name)})
            for spec in candidate.inputs
        ]
        _check_same("inputs", [s.name for s in reference.inputs], [s.name for s in renamed])
        others = {spec.name: spec for spec in renamed}
        for spec in reference.inputs:
            if not _fits(spec, other := others[spec.name]):
                raise InputError(
                    f"the sides take other inputs: {spec} and {other}",
                    hint="give two forms of one model",
                )

    def _feed(
        self, record: Recorded, label: str, inputs: Arrays, model: Model, names: Mapping[str, str]
    ) -> Arrays:
        """A record's inputs under the model's names. Raises ``InputError`` where one is missing."""
        fed = {names.get(name, name): array for name, array in inputs.items()}
        missing = [spec.name for spec in model.inputs if spec.name not in fed]
        if missing:
            raise InputError(
                f"{record.path}: {label} has no input:{missing[0]}, and {model.path.name} needs it",
                hint="record with paddle2om validate MODEL --record DIR, or give two records",
            )
        taken = {spec.name: fed[spec.name] for spec in model.inputs}
        return checked_inputs(taken, model.inputs, record.path)


def _kind_of(label: str) -> Kind:
    """The kind of a recorded case: ``CasesStage`` calls its files ``0-text`` and so on."""
    known: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    return known.get(label.partition("-")[2], "given")


def reference_of(model: Model, seed: int) -> PaddleReference:
    """The cases a model is compared on, with its own outputs."""
    return PaddleReference(
        model.predictor,
        model.inputs,
        model.outputs,
        hints=dict(model.hints),
        value_range=model.value_range,
        seed=seed,
    )


def _check_same(what: str, reference: list[str], candidate: list[str]) -> None:
    missing = [name for name in reference if name not in candidate]
    extra = [name for name in candidate if name not in reference]
    if not missing and not extra:
        return
    told = f"the reference has {', '.join(reference)}, the other side {', '.join(candidate)}"
    raise InputError(
        f"the sides have other {what}: {told}",
        hint="if only names differ, pair them with --rename REFERENCE=OTHER",
    )


def _fits(b: TensorSpec, a: TensorSpec) -> bool:
    """Whether one input may be fed to both."""
    return (b.dtype, b.rank) == (a.dtype, a.rank) and all(
        x == y or isinstance(x, str) or isinstance(y, str)
        for x, y in zip(b.shape, a.shape, strict=True)
    )


def _same(b: object, a: object) -> bool:
    """Whether two recorded inputs are one, NaN included."""
    x, y = np.asarray(b), np.asarray(a)
    equal = x.dtype == y.dtype and x.shape == y.shape
    return equal and x.tobytes() == y.tobytes()
