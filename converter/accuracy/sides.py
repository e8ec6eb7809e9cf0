"""The two sides of a comparison: a Paddle model, an ONNX file, or outputs that were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from converter.accuracy import metrics
from converter.accuracy.predictor import PaddlePredictor
from converter.accuracy.recorded import read_recorded
from converter.errors import InputError, StageError
from converter.model import onnx_file
from converter.model.describe import describe
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.paddle_dir import find_model, programs_in
from converter.model.tensor import ShapeHint, TensorSpec

if TYPE_CHECKING:
    from converter.accuracy.reference import Arrays

_KINDS = "a Paddle model, an ONNX file, an .npz file of recorded outputs or a directory of those"


@dataclass(frozen=True)
class Model:
    """A side that can be run. ``yml`` is its ``inference.yml``; ``hints``, ``value_range`` are too.

    ``plain`` opens an ONNX file without graph optimisation. ``operators`` are those of a Paddle
    program, by name.
    """

    kind: Literal["Paddle", "ONNX"]
    path: Path
    predictor: PaddlePredictor | OnnxPredictor
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    hints: Mapping[str, ShapeHint] = field(default_factory=dict)
    value_range: tuple[float, float] | None = None
    plain: Callable[[], OnnxPredictor] | None = None
    yml: InferenceYml = field(default_factory=InferenceYml)
    operators: frozenset[str] = frozenset()

    @property
    def output_names(self) -> list[str]:
        """Names of what ``run`` gives, in order."""
        return [spec.name for spec in self.outputs]

    @property
    def input_names(self) -> list[str]:
        """Names of what ``run`` takes."""
        return [spec.name for spec in self.inputs]

    def run(self, inputs: Arrays) -> Arrays:
        """Run once; raises ``StageError`` when the model refuses the inputs."""
        return self.predictor.run(inputs, self.output_names)


@dataclass(frozen=True)
class Recorded:
    """Outputs of some run, and the inputs as far as they were recorded: both by case."""

    path: Path
    cases: Mapping[str, tuple[Arrays, Arrays]]
    kind: Literal["recorded"] = "recorded"

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of the first case; ``open_side`` holds that all have the same."""
        return list(next(iter(self.cases.values()))[1])

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs that were recorded in some case."""
        return list(dict.fromkeys(name for inputs, _ in self.cases.values() for name in inputs))


#: How the names of dtypes begin that are neither numbers nor bools; text is ``object``.
_NO_NUMBERS = ("object", "str", "complex")

Side: TypeAlias = Model | Recorded


class OnnxPredictor:
    """ONNX Runtime on the CPU, with the methods of ``PaddlePredictor``."""

    def __init__(self, path: Path, *, threads: int, optimise: bool = True) -> None:
        try:
            self._session = onnx_file.open_session(path, threads=threads, optimise=optimise)
        except StageError as error:
            raise StageError(
                f"{path.name}: {error.message}", hint="check the file with paddle2om inspect"
            ) from error

    def run(self, inputs: Arrays, output_names: list[str]) -> Arrays:
        """Run once; raises ``StageError`` when ONNX Runtime refuses the inputs."""
        try:
            found = onnx_file.run(self._session, inputs)
        except StageError as error:
            raise StageError(
                error.message, hint="check the shapes: do both sides take the same?"
            ) from error
        return {name: found[name] for name in output_names}

    def release(self) -> None:
        """Nothing: the session goes with its owner."""


def open_side(path: Path, *, threads: int) -> Side:
    """What ``path`` is, ready to be run or read.

    Raises ``InputError`` for what is none of the three or damaged, ``StageError`` where a runtime
    does not load a model.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", hint=f"give {_KINDS}")
    if path.suffix == ".npz" and path.is_file():
        return _recorded(path, [path])
    if path.suffix == ".om":
        raise InputError(
            f"{path} is an OM file, which runs on an NPU only",
            hint="record its outputs there (paddle2om device makes a kit), and give the .npz files",
        )
    if path.suffix == ".onnx":
        return _onnx(path, threads)
    if path.is_dir():
        return _of_directory(path, threads)
    if path.suffix in (".json", ".pdmodel") or path.name == "__model__":
        return _paddle(path, threads)
    raise InputError(f"{path} is a {path.suffix or 'nameless'} file", hint=f"give {_KINDS}")


def is_record(path: Path) -> bool:
    """Whether ``path``, which ``open_side`` takes, is recorded outputs."""
    return path.suffix == ".npz" or (path.is_dir() and any(path.glob("*.npz")))


def onnx_of(path: Path) -> Path | None:
    """The ONNX file that ``path``, which ``open_side`` takes, is or holds; None for others."""
    if path.is_dir():
        return next(iter(sorted(path.glob("*.onnx"))), None)
    return path if path.suffix == ".onnx" else None


def _of_directory(path: Path, threads: int) -> Side:
    onnx, records = sorted(path.glob("*.onnx")), sorted(path.glob("*.npz"))
    kinds = {"a Paddle model": programs_in(path), "an ONNX file": onnx, "recorded outputs": records}
    found = [kind for kind, files in kinds.items() if files]
    if len(found) > 1:
        raise InputError(
            f"{path} holds {' and '.join(found)}", hint="name the file or the directory that counts"
        )
    if records:
        return _recorded(path, records)
    if (path / "cases").is_dir():
        raise InputError(
            f"{path} is a device kit",
            hint=f"judge it with paddle2om device {path}, or give its cases and results",
        )
    return _onnx(onnx_file.find_onnx(path), threads) if onnx else _paddle(path, threads)


def _paddle(path: Path, threads: int) -> Model:
    model = find_model(path)
    facts = describe(model)
    if model.params is None and facts.parameter_count:
        raise InputError(
            f"{path} has one file for each parameter",
            hint="convert it with paddle2om convert, which compares it too",
        )
    return Model(
        kind="Paddle",
        path=path,
        predictor=PaddlePredictor(model.program, model.params, threads=threads),
        inputs=facts.inputs,
        outputs=facts.outputs,
        hints=facts.shape_hints,
        value_range=facts.value_range,
        yml=read_inference_yml(model.yml) if model.yml else InferenceYml(),
        operators=frozenset(facts.operators),
    )


def _onnx(path: Path, threads: int) -> Model:
    facts = onnx_file.describe_file(path)
    check_comparable(path, facts)
    beside = path.with_name("inference.yml")
    yml = read_inference_yml(beside) if beside.is_file() else InferenceYml()
    return Model(
        kind="ONNX",
        path=path,
        predictor=OnnxPredictor(path, threads=threads),
        inputs=facts.inputs,
        outputs=facts.outputs,
        hints=yml.shape_hints,
        value_range=yml.value_range,
        plain=lambda: OnnxPredictor(path, threads=threads, optimise=False),
        yml=yml,
    )


def check_comparable(path: Path, facts: onnx_file.OnnxFacts) -> None:
    """Raise ``InputError`` unless there is something to compare, in dtypes that NumPy has."""
    if not facts.outputs:
        raise InputError(f"{path} has no outputs", hint="give a model that computes something")
    for spec in (*facts.inputs, *facts.outputs):
        if spec.dtype.startswith(onnx_file.NOT_NUMPYS):
            raise InputError(
                f"{path}: {spec} has a dtype that ONNX Runtime does not exchange with NumPy",
                hint="put a Cast to float32 or int32 there, which loses nothing",
            )
        if spec.dtype.startswith(_NO_NUMBERS):
            raise InputError(
                f"{path}: {spec.name} is of dtype {spec.dtype}, which no tolerance compares",
                hint="give a file without it, cut before text or complex numbers",
            )


def _recorded(path: Path, files: Iterable[Path]) -> Recorded:
    cases = {file.stem: read_recorded(file, plain=True) for file in files}
    known: list[str] | None = None
    for stem, (_, outputs) in cases.items():
        if not outputs:
            raise InputError(
                f"{path}: {stem} holds no outputs",
                hint="an array of it is an output, or is called output:NAME beside input:NAME",
            )
        for name, array in outputs.items():
            if not metrics.is_comparable(array.dtype):
                raise InputError(
                    f"{path}: {stem} holds {name!r} as {array.dtype}, which is not compared",
                    hint="record floats of at most 64 bits, integers or bools",
                )
        known = known or sorted(outputs)
        if sorted(outputs) != known:
            raise InputError(
                f"{path}: {stem} has the outputs {', '.join(outputs)}, others {', '.join(known)}",
                hint="give the records of one model",
            )
    return Recorded(path, cases)
