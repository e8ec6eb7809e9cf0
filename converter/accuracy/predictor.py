"""Runs Paddle's own model: what a reference is computed by."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from converter.errors import StageError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Arrays: TypeAlias = dict[str, NDArray[Any]]

#: Where the shapes that a model is compared on come from, as far as a user can change it.
SHAPES_HINT = "check the shapes in the model's inference.yml (Hpi dynamic shapes)"


#: Operators that write into their input. Paddle 3.3.1 keeps what they wrote: of the 1,716 cases of
#: the operator matrix, those in which a predictor's later answers differ from its first have these.
_WRITING = rb"(?:index_put|set_value)"
#: The type of an operator in a legacy program: field 3 of its message, by tag and length. The table
#: of versions at such a program's end has the names of many operators that it does not use.
_WRITING_TYPE = re.compile(rb"\x1a[\x01-\x7f]" + _WRITING)
_WRITING_NAME = re.compile(_WRITING)


class Predictor(Protocol):
    """Runs a model: ``PaddlePredictor``, or another that is to be the reference."""

    def run(self, inputs: Arrays, output_names: list[str]) -> Arrays:
        """Run once; raises ``StageError`` when the model refuses the inputs."""

    def release(self) -> None:
        """Free the model."""


class PaddlePredictor:
    """Paddle Inference on the CPU with graph optimisation and oneDNN off.

    Plain kernels are the reference: with oneDNN Paddle differs from itself by as much as 1.6e-5 on
    PP-OCRv5 recognition (docs/explanation/tolerances.md).
    """

    def __init__(self, program: Path, params: Path | None, *, threads: int) -> None:
        self._program = program
        self._params = params
        self._threads = threads
        self._predictor = self._open()
        self._writes = writes_values(program)
        self._ran = False

    def _open(self) -> Any:
        import paddle.inference

        config = paddle.inference.Config(str(self._program), str(self._params or ""))
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(self._threads)
        try:
            return paddle.inference.create_predictor(config)
        except Exception as error:
            raise StageError(
                f"Paddle itself cannot load this model: {_complaint(error)}",
                hint="check that the program and the parameter file belong together",
            ) from error

    def release(self) -> None:
        """Free the model; it cannot run afterwards."""
        self._predictor = None

    def run(self, inputs: Arrays, output_names: list[str]) -> Arrays:
        """Run once; raises ``StageError`` when Paddle refuses the inputs.

        A model that writes into its values is loaded anew for every run.
        """
        if self._ran and self._writes:
            self.release()
            self._predictor = self._open()
        self._ran = True
        try:
            for name, array in inputs.items():
                self._predictor.get_input_handle(name).copy_from_cpu(array)
            self._predictor.run()
            found = self._predictor.get_output_names()
            handles = {name: self._predictor.get_output_handle(name) for name in found}
            for name, handle in handles.items():
                _refuse_bfloat16(name, handle)
            values = [handle.copy_to_cpu() for handle in handles.values()]
        except StageError:
            raise
        except Exception as error:
            raise StageError(
                f"Paddle cannot run the model on this input: {_complaint(error)}",
                hint=SHAPES_HINT,
            ) from error
        return _named(output_names, found, values)


def writes_values(program: Path) -> bool:
    """Whether an operator of the program writes into its input, so that a later run sees it."""
    pattern = _WRITING_TYPE if program.suffix == ".pdmodel" else _WRITING_NAME
    return pattern.search(program.read_bytes()) is not None


class LaterPredictor:
    """A predictor that is opened when it has to run, and not at all where nothing has to."""

    def __init__(self, opener: Callable[[], Predictor]) -> None:
        self._opener = opener
        self._opened: Predictor | None = None

    def open(self) -> Predictor:
        """The predictor itself. Raises ``StageError``."""
        if self._opened is None:
            self._opened = self._opener()
        return self._opened

    def run(self, inputs: Arrays, output_names: list[str]) -> Arrays:
        """Run once; raises ``StageError``."""
        return self.open().run(inputs, output_names)

    def release(self) -> None:
        """Free the model, if it was opened."""
        if self._opened is not None:
            self._opened.release()


def _refuse_bfloat16(name: str, handle: Any) -> None:
    """Raise ``StageError``: Paddle's API reads a bfloat16 output as float32, beyond its end."""
    from paddle.inference import DataType

    if handle.type() == DataType.BFLOAT16:
        raise StageError(
            f"output {name!r} is bfloat16, which Paddle's inference API does not give out",
            hint="save the model with a cast to float32 at the end, which loses nothing",
        )


def _named(wanted: list[str], found: list[str], values: list[NDArray[Any]]) -> Arrays:
    """Outputs under the names wanted: by name when the predictor uses the same, else in order."""
    if sorted(found) == sorted(wanted):
        by_name = dict(zip(found, values, strict=True))
        return {name: by_name[name] for name in wanted}
    if len(found) != len(wanted):
        raise StageError(
            f"Paddle gives {len(found)} outputs, the program describes {len(wanted)}",
            hint="report this model: its outputs cannot be told apart",
        )
    return dict(zip(wanted, values, strict=True))


def _complaint(error: Exception) -> str:
    """The informative line of a Paddle exception, which hides it under a C++ stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if "Error:" in line), lines[-1] if lines else repr(error))
    return told if len(told) <= 300 else told[:299] + "…"
