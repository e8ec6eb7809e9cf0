"""Paddle's own outputs: what every comparison is against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.accuracy.inputs import InputCase, alternatives, make_inputs, plan_cases
from converter.errors import StageError
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


class PaddlePredictor:
    """Paddle Inference on the CPU with graph optimisation and oneDNN off.

    Plain kernels are the reference: with oneDNN Paddle differs from itself by as much as 1.6e-5 on
    PP-OCRv5 recognition (docs/explanation/tolerances.md).
    """

    def __init__(self, program: Path, params: Path | None, *, threads: int) -> None:
        import paddle.inference

        config = (
            paddle.inference.Config(str(program), str(params))
            if params
            else paddle.inference.Config(str(program), "")
        )
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        try:
            self._predictor = paddle.inference.create_predictor(config)
        except Exception as error:
            raise StageError(
                f"Paddle itself cannot load this model: {_complaint(error)}",
                hint="check that the program and the parameter file belong together",
            ) from error

    def run(self, inputs: Arrays, output_names: list[str]) -> Arrays:
        """Run once; raises ``StageError`` when Paddle refuses the inputs."""
        try:
            for name, array in inputs.items():
                self._predictor.get_input_handle(name).copy_from_cpu(array)
            self._predictor.run()
            found = self._predictor.get_output_names()
            values = [self._predictor.get_output_handle(name).copy_to_cpu() for name in found]
        except Exception as error:
            raise StageError(
                f"Paddle cannot run the model on this input: {_complaint(error)}",
                hint="give shapes that the model takes with --shape",
            ) from error
        return dict(zip(output_names, values, strict=True))


class PaddleReference:
    """Reference cases for one model, computed on demand and kept for every stage that compares."""

    def __init__(
        self,
        predictor: PaddlePredictor,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        hints: dict[str, ShapeHint],
        value_range: tuple[float, float] | None,
        seed: int,
    ) -> None:
        self._predictor = predictor
        self._inputs = inputs
        self._output_names = [spec.name for spec in outputs]
        self._value_range = value_range
        self._planned = plan_cases(inputs, hints, value_range, seed=seed)
        self._done: list[ReferenceCase] = []
        #: Shapes Paddle itself refused, with its reason; others were tried in their place.
        self.rejected: list[str] = []

    def cases(self) -> Iterator[ReferenceCase]:
        """Every case, in order; each is computed at most once.

        Raises ``StageError`` when Paddle runs none of the shapes tried for a case.
        """
        yield from self._done
        while len(self._done) < len(self._planned):
            self._done.append(self._compute(self._planned[len(self._done)]))
            yield self._done[-1]

    def first(self, count: int) -> list[ReferenceCase]:
        """The first ``count`` cases with pairwise different input shapes where there are such."""
        cases = self.cases()
        chosen: list[ReferenceCase] = []
        for case in cases:
            if all(case.case.shapes != other.case.shapes for other in chosen):
                chosen.append(case)
            if len(chosen) == count:
                break
        return chosen

    def _compute(self, planned: InputCase) -> ReferenceCase:
        used = {tuple(sorted(done.case.shapes.items())) for done in self._done}
        error: StageError | None = None
        for case in (planned, *alternatives(planned)):
            if error and tuple(sorted(case.shapes.items())) in used:
                continue  # a fallback that repeats another case would prove nothing new
            inputs = make_inputs(case, self._inputs, self._value_range)
            try:
                return ReferenceCase(case, inputs, self._predictor.run(inputs, self._output_names))
            except StageError as refused:
                error = error or refused
                shapes = ", ".join(f"{n}{list(s)}" for n, s in case.shapes.items())
                self.rejected.append(f"{shapes}: {refused.message}")
        assert error is not None
        raise error


def _complaint(error: Exception) -> str:
    """The informative line of a Paddle exception, which hides it under a C++ stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if "Error:" in line), lines[-1] if lines else repr(error))
    return told if len(told) <= 300 else told[:299] + "…"
