"""Forecasts what float16 does to an ONNX model, and which operators have to stay in float32."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from converter.accuracy.forecast.emulation import Emulation
from converter.accuracy.forecast.output_error import output_error
from converter.accuracy.forecast.ranges import Range, ranges
from converter.accuracy.forecast.search import minimal_set, sensitivities
from converter.accuracy.gate import compare_case, doubts, vacuous
from converter.accuracy.inputs import InputCase, make_inputs, plan_cases
from converter.accuracy.onnx_values import OnnxValues
from converter.accuracy.recorded import DEVICE_TOLERANCE
from converter.accuracy.sides import check_comparable
from converter.atc.precision_files import unkeepable_types
from converter.errors import GateError, StageError
from converter.model import onnx_file
from converter.model.artefacts import sha256_of
from converter.model.comparison import CaseComparison
from converter.model.forecast import ForecastFacts, OperatorForecast, PrecisionWay
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.result import Message, Status
from converter.stages.forecast_ways import precision_ways
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

#: Sets of inputs that are searched on; the result is verified on all that were planned.
_SEARCHED = 2


class _Case(NamedTuple):
    """One set of inputs and what the model computes from it in float32."""

    case: InputCase
    inputs: Arrays
    outputs: Arrays


class ForecastStage(Stage):
    """Runs the model with every operator rounding to float16; if that fails, finds what not to."""

    name = "forecast"

    def run(self, job: Job) -> Outcome:
        """Forecast ``job.onnx``; ``StageError`` where it cannot be emulated.

        Raises ``InputError`` when it has outputs that are no numbers.
        """
        assert job.onnx is not None
        facts = onnx_file.describe_file(job.onnx)
        check_comparable(job.onnx, facts)
        emulation = Emulation(job.onnx, job.work_dir, threads=job.options.threads)
        if not emulation.operators:
            raise StageError("the model has no float32 operator", hint="nothing is to be forecast")
        cases = self._cases(job, emulation)
        every = range(len(emulation.operators))
        soc = job.options.compile.soc
        types = unkeepable_types(soc)
        keepable = [place for place in every if emulation.operators[place].op_type not in types]

        def compare(given: _Case, keep: Collection[int]) -> CaseComparison:
            made = emulation.run(given.inputs, keep)
            shapes = {name: array.shape for name, array in given.inputs.items()}
            return compare_case(
                given.case.label, shapes, given.case.seed, given.outputs, made, DEVICE_TOLERANCE
            )

        def passes(keep: Collection[int]) -> bool:
            return all(compare(given, keep).passed for given in searched)

        searched = cases[:_SEARCHED]
        everywhere = tuple(compare(given, ()) for given in cases)
        # A case that fails is what has to be searched on.
        failing = [given for given, told in zip(cases, everywhere, strict=True) if not told.passed]
        searched = (failing or searched)[:_SEARCHED]

        def error(keep: Collection[int]) -> float:
            given = searched[0]
            return output_error(given.outputs, emulation.run(given.inputs, keep))

        alone = sensitivities(len(every), error, job.tell)
        ranking = sorted(keepable, key=lambda place: -alone[place])
        passed = all(told.passed for told in everywhere)
        keep: tuple[int, ...] | None = ()
        kept_cases: tuple[CaseComparison, ...] = ()
        if not passed:
            keep = minimal_set(ranking, passes, job.tell)
            while keep is not None:
                kept_cases = tuple(compare(given, keep) for given in cases)
                more = [g for g, told in zip(cases, kept_cases, strict=True) if not told.passed]
                if not more:
                    break
                searched = [*searched, *more]  # a case that was not searched on asks for more
                keep = minimal_set(ranking, passes, job.tell)
        operators = emulation.operators
        unnamed = sum(not operators[place].name for place in keep or ())
        ways: tuple[PrecisionWay, ...] = ()
        if keep:
            ways = precision_ways(
                job,
                operators,
                keep,
                kept_cases,
                lambda places: tuple(compare(given, places) for given in cases),
                self.name,
            )
        measured = self._ranges(job, searched)
        told = tuple(
            _operator(operators[place], alone[place], measured)
            for place in sorted(every, key=lambda place: -alone[place])
        )
        weak = tuple(Message(level="warning", text=text) for text in doubts(everywhere))
        return Outcome(
            status=Status.DEGRADED if weak else Status.OK,
            messages=weak,
            facts=ForecastFacts(
                file=job.task.onnx_name,
                opset=facts.opset,
                soc_version=soc,
                tolerance=DEVICE_TOLERANCE,
                cases=everywhere,
                passed=passed,
                keep=None if keep is None else tuple(_told(operators[p]) for p in keep),
                kept_cases=kept_cases,
                unkeepable=tuple(sorted(types & {one.op_type for one in operators})),
                unnamed=unnamed,
                operators=told,
                evaluations=emulation.evaluations,
                files=tuple(way.file for way in ways if way.file),
                flags=ways[0].flags if ways else (),
                ways=ways,
                sha256=sha256_of(job.onnx),
            ),
        )

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """Float16 is enough, or a set of operators was found that is; else ``GateError``.

        Outputs that are empty or NaN in float32 too say nothing, and pass nothing.
        """
        facts = outcome.facts
        assert isinstance(facts, ForecastFacts)
        if nothing := vacuous(facts.cases):
            raise GateError(
                f"nothing can be forecast: {nothing}",
                hint="give the model's inference.yml with --yml, or another --seed",
            )
        if facts.keep is None:
            what = f" of {facts.soc_version}" if facts.unkeepable else ""
            raise GateError(
                "the outputs fail in float16, whichever operators stay in float32"
                + (f": {', '.join(facts.unkeepable)}{what} cannot" if facts.unkeepable else ""),
                hint="run this model from its ONNX file, or compile it for a chip that multiplies "
                "in float32 (Ascend910B1 to B4) with --precision origin",
            )

    def _cases(self, job: Job, emulation: Emulation) -> list[_Case]:
        assert job.onnx is not None
        yml = read_inference_yml(job.yml) if job.yml else InferenceYml()
        specs = onnx_file.describe_file(job.onnx).inputs
        every = range(len(emulation.operators))
        planned = plan_cases(specs, dict(yml.shape_hints), yml.value_range, seed=job.options.seed)
        done = []
        for case in planned:
            inputs = make_inputs(case, specs, yml.value_range)
            try:
                outputs = emulation.run(inputs, every)
            except StageError:  # a shape that the model does not take; others are there
                continue
            done.append(_Case(case, inputs, outputs))
        if not done:
            raise StageError(
                "the model runs on none of the shapes tried", hint="see the model's log"
            )
        return done

    def _ranges(self, job: Job, cases: list[_Case]) -> dict[str, Range]:
        assert job.onnx is not None
        values = OnnxValues(job.onnx, job.work_dir / "values", threads=job.options.threads)
        found: dict[str, Range] = {}
        for given in cases:
            job.tell("ranges of values")
            for name, here in ranges(values.evaluate(values.names, given.inputs)).items():
                found[name] = here.joined(found[name]) if name in found else here
        return found


def _operator(one: Any, error: float, measured: dict[str, Range]) -> OperatorForecast:
    here = Range(0.0, 0.0, 0.0)
    for name in one.outputs:
        here = here.joined(measured.get(name, here))
    return OperatorForecast(
        name=_told(one),
        op_type=one.op_type,
        error=error,
        largest=here.largest,
        overflow=here.overflow,
        underflow=here.underflow,
    )


def _told(one: Any) -> str:
    return one.name or (one.outputs[0] if one.outputs else f"node {one.index}")
