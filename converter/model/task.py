"""What the parent asks a worker to do: plain data that travels as JSON."""

from __future__ import annotations

from pydantic import Field

from converter.model.result import Record

#: The opsets paddle2onnx 2.1.0 can write; outside this range it aborts the process.
OPSET_RANGE = range(7, 22)

#: atc supports opset 11 on every CANN release; from 8.x on it also takes up to 18.
DEFAULT_OPSET = 11

#: Seconds one model may take before its worker is stopped.
DEFAULT_TIMEOUT = 900.0


class ConvertOptions(Record):
    """How to convert: what ``paddle2om convert`` takes as flags.

    ``shapes`` maps a graph input to the static shape its OM file is compiled for. ``rename`` maps
    Paddle's names of inputs and outputs to those the ONNX file is to have. ``atol`` and
    ``rtol`` override the default gate of every float output. ``threads`` is how many CPU threads
    the native libraries of one worker may use.
    """

    opset: int = DEFAULT_OPSET
    simplify: bool = True
    soc: str | None = None
    shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    rename: dict[str, str] = Field(default_factory=dict)
    atol: float | None = None
    rtol: float | None = None
    seed: int = 0
    threads: int = 1
    timeout: float = DEFAULT_TIMEOUT


class Task(Record):
    """One model's way through ``stages``.

    ``source`` is what the user named (a directory or a program file), ``work_dir`` a directory
    that only this task writes to, and ``destination`` the directory that finished artefacts move
    to. ``report_root`` is what artefact paths in the result are relative to. ``onnx_name`` is the
    file name of the ONNX model. ``force`` lets it replace a file that is not ours. Without
    ``keep_manifest`` only the ONNX file itself is published, and nothing of a model that failed.
    """

    name: str
    source: str
    stages: tuple[str, ...]
    work_dir: str
    destination: str
    report_root: str
    onnx_name: str = "inference.onnx"
    force: bool = False
    keep_manifest: bool = True
    options: ConvertOptions = ConvertOptions()
