"""What an ONNX file is held against: a Paddle model, or another ONNX file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.accuracy.inputs import alternatives, make_inputs, plan_cases
from converter.accuracy.locate.onnx_pairs import onnx_pairs
from converter.accuracy.locate.pairs import Pair, Pairs
from converter.accuracy.locate.search import Source
from converter.accuracy.onnx_values import OnnxValues
from converter.accuracy.paddle_values import PaddleValues
from converter.accuracy.predictor import PaddlePredictor
from converter.accuracy.reference import PaddleReference
from converter.accuracy.sides import check_comparable
from converter.bridge import onnxsim
from converter.bridge.legacy_program import translate_legacy_program
from converter.bridge.program_values import ProgramValues
from converter.bridge.random_outputs import random_outputs
from converter.bridge.tensor_names import tensor_names, with_copies
from converter.bridge.translate import translate
from converter.bridge.weights import Placed, write_external
from converter.errors import StageError
from converter.model import onnx_file
from converter.model.onnx_file import OnnxFacts
from converter.model.paddle_dir import PaddleModel
from converter.model.pir_document import load_pir
from converter.model.result import InspectFacts
from converter.model.task import OPSET_RANGE
from converter.model.tensor import TensorSpec, narrowed
from converter.stages.job import Job
from converter.stages.locate_pairs import paddle_pairs

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

#: Where the weights of a large export go.
DATA_NAME = "export.data"

#: Marks tensors that only our own exports have.
_OURS = "lowered."


@dataclass(frozen=True)
class LocateCase:
    """A set of inputs, and what the reference computes from it.

    ``nearby`` is what it answers to inputs within rounding of these, as ``PaddleReference`` has it.
    """

    label: str
    seed: int
    inputs: Arrays
    outputs: Arrays
    nearby: Callable[[], Iterator[tuple[float, Arrays]]] = lambda: iter(())


class Side(ABC):
    """The reference of a search.

    ``inputs`` and ``outputs`` are its names, in order; ``random`` those outputs that are drawn.
    ``specs`` describe the inputs.
    """

    label: str
    specs: tuple[TensorSpec, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    random: tuple[str, ...] = ()

    def narrow(self, facts: OnnxFacts, inputs: Mapping[str, str]) -> None:
        """Take over the extents that only the candidate fixes: other inputs it does not take.

        ``facts`` are the candidate's, ``inputs`` maps its names to the reference's.
        """
        others = {inputs[spec.name]: spec for spec in facts.inputs}
        self.specs = narrowed(self.specs, [others[spec.name] for spec in self.specs])

    @abstractmethod
    def cases(self, given: Arrays | None) -> Iterator[LocateCase]:
        """The sets of inputs to compare on; only ``given`` when there is one."""

    @abstractmethod
    def prepare(
        self, facts: OnnxFacts, inputs: Mapping[str, str], outputs: Mapping[str, str]
    ) -> None:
        """Get ready for ``source`` and ``pairs``; no more cases are asked for.

        ``facts`` are the candidate's, ``inputs`` and ``outputs`` map its names to the reference's.
        """

    @abstractmethod
    def source(self) -> Source:
        """The values inside the reference."""

    @abstractmethod
    def pairs(self, candidate: OnnxValues) -> list[Pair]:
        """Which of its values the candidate's tensors stand for."""

    def stands_for(self, pairs: Pairs) -> Mapping[str, str] | None:
        """The tensors of ``expected`` that the candidate's stand for; None if of the same names."""
        return None

    @abstractmethod
    def expected(self) -> Iterator[OnnxValues]:
        """Graphs that the candidate's nodes should be like, the likeliest first."""


class PaddleSide(Side):
    """A Paddle model. Its export by this program is what the candidate should be like."""

    def __init__(self, job: Job) -> None:
        assert job.model is not None
        self._job = job
        self._model: PaddleModel = job.model
        self._facts = job.facts(InspectFacts)
        self.label = job.task.name
        self.specs = self._facts.inputs
        self.inputs = tuple(spec.name for spec in self.specs)
        self.outputs = tuple(spec.name for spec in self._facts.outputs)
        if self._model.format == "pir":
            self.random = random_outputs(load_pir(self._model.program))
        self._exported: onnx.ModelProto | None = None
        self._external: Sequence[Placed] = ()
        self._names: dict[int, tuple[str, ...]] = {}
        self._plain: dict[int, tuple[str, ...]] = {}

    def cases(self, given: Arrays | None) -> Iterator[LocateCase]:
        """The cases that ``convert`` compares on, as far as Paddle runs them."""
        predictor = PaddlePredictor(
            self._model.program, self._model.params, threads=self._job.options.threads
        )
        try:
            if given is not None:
                outputs = predictor.run(given, list(self.outputs))
                yield LocateCase("the inputs given", 0, given, outputs)
                return
            reference = PaddleReference(
                predictor,
                self.specs,
                self._facts.outputs,
                hints=self._facts.shape_hints,
                value_range=self._facts.value_range,
                seed=self._job.options.seed,
            )
            for case in reference.cases():
                told = f"{case.case.kind}, seed {case.case.seed}"
                yield LocateCase(
                    told,
                    case.case.seed,
                    case.inputs,
                    case.outputs,
                    partial(reference.nearby, case),
                )
        finally:
            predictor.release()

    def prepare(
        self, facts: OnnxFacts, inputs: Mapping[str, str], outputs: Mapping[str, str]
    ) -> None:
        """Export the model at the candidate's opset, for its names and to compare nodes with."""
        work = self._job.work_dir / "reference"
        work.mkdir()
        program, params = self._model.program, self._model.params
        if self._model.format == "legacy":
            program, params = translate_legacy_program(self._model, work)
        self._params = params
        self._values = ProgramValues(load_pir(program))
        document = load_pir(program)
        given = {theirs: ours for ours, theirs in outputs.items()}
        fetched = self._values.outputs
        renamed = {
            name: given.get(ours, ours) for name, ours in zip(fetched, self.outputs, strict=False)
        }
        self._plain = _renamed(
            {value: (name,) for value, name in tensor_names(document).items()}, renamed
        )
        opset = min(max(facts.opset, OPSET_RANGE[0]), OPSET_RANGE[-1])
        try:
            made = translate(
                document, program, params, opset=opset, work_dir=work, data_name=DATA_NAME
            )
        except StageError:  # the candidate was made by other means: its names have to do
            self._names = self._plain
            return
        self._exported = made.model
        self._external = made.external
        self._names = _renamed(with_copies(made.names, made.model), renamed)

    def source(self) -> Source:
        """Paddle's own values."""
        work = self._job.work_dir / "paddle"
        work.mkdir()
        return PaddleValues(
            self._values.fetch, self._params, work, threads=self._job.options.threads
        )

    def pairs(self, candidate: OnnxValues) -> list[Pair]:
        """By the names of an export of ours, or of paddle2onnx alone: whichever finds more."""
        found = paddle_pairs(self._values, self._names, candidate)
        if any(name.startswith(_OURS) for name in candidate.names):
            return found
        plain = paddle_pairs(self._values, self._plain, candidate)
        return plain if len(plain) > len(found) else found

    def expected(self) -> Iterator[OnnxValues]:
        """The export, then the same simplified."""
        if self._exported is None:
            return
        import onnx

        if self._external and self._params is not None:
            write_external(self._external, self._params, self._job.work_dir / DATA_NAME)
        work = self._job.work_dir
        exported = work / "exported.onnx"
        onnx.save_model(self._exported, str(exported))
        yield OnnxValues(exported, work / "exported")
        if self._external:
            return
        try:
            model, _ = onnxsim.simplify(exported, work, model=self._exported)
        except StageError:  # then there is nothing more to compare with
            return
        onnx.save_model(model, str(work / "simplified.onnx"))
        yield OnnxValues(work / "simplified.onnx", work / "simplified")


class OnnxSide(Side):
    """Another ONNX file."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._path = Path(job.task.source)
        facts = onnx_file.describe_file(self._path)
        check_comparable(self._path, facts)
        self.label = self._path.name
        self.specs = facts.inputs
        self.inputs = tuple(spec.name for spec in facts.inputs)
        self.outputs = tuple(spec.name for spec in facts.outputs)
        self._values: OnnxValues | None = None
        self._to_reference: Mapping[str, str] = {}
        self._input_names: Mapping[str, str] = {}

    def cases(self, given: Arrays | None) -> Iterator[LocateCase]:
        """Inputs drawn as for a Paddle model without an ``inference.yml``."""
        session = onnx_file.open_session(self._path, threads=self._job.options.threads)
        if given is not None:
            yield LocateCase("the inputs given", 0, given, onnx_file.run(session, given))
            return
        for planned in plan_cases(self.specs, {}, None, seed=self._job.options.seed):
            refused: StageError | None = None
            for case in (planned, *alternatives(planned)):
                inputs = make_inputs(case, self.specs, None)
                try:
                    outputs = onnx_file.run(session, inputs)
                except StageError as error:
                    refused = refused or error
                    continue
                yield LocateCase(f"{case.kind}, seed {case.seed}", case.seed, inputs, outputs)
                refused = None
                break
            if refused:
                raise StageError(
                    f"the reference itself does not run: {refused.message}",
                    hint="give inputs that it runs on with --inputs FILE.npz",
                )

    def prepare(
        self, facts: OnnxFacts, inputs: Mapping[str, str], outputs: Mapping[str, str]
    ) -> None:
        """Load the file for its values."""
        self._input_names, self._to_reference = inputs, outputs
        work = self._job.work_dir / "reference"
        self._values = OnnxValues(self._path, work, threads=self._job.options.threads)

    def source(self) -> Source:
        """The file's own values."""
        assert self._values is not None
        return self._values

    def pairs(self, candidate: OnnxValues) -> list[Pair]:
        """By name, then by structure."""
        assert self._values is not None
        return onnx_pairs(self._values, candidate, self._input_names, self._to_reference)

    def stands_for(self, pairs: Pairs) -> Mapping[str, str]:
        """As they were paired."""
        return {**self._input_names, **{pair.tensor: str(pair.key) for pair in pairs.all}}

    def expected(self) -> Iterator[OnnxValues]:
        """The file itself."""
        assert self._values is not None
        yield self._values


def _renamed(
    names: Mapping[int, tuple[str, ...]], renamed: Mapping[str, str]
) -> dict[int, tuple[str, ...]]:
    return {
        number: tuple(renamed.get(name, name) for name in chain) for number, chain in names.items()
    }
