"""What the parent asks a worker to do: plain data that travels as JSON."""

from __future__ import annotations

from pydantic import Field

from converter.model.compile_options import CompileOptions
from converter.model.record import Record
from converter.model.tolerance import ToleranceOverride

#: The opsets paddle2onnx 2.1.0 can write; outside this range it aborts the process.
OPSET_RANGE = range(7, 22)

#: What helps with another one.
OPSET_HINT = f"choose {OPSET_RANGE[0]} to {OPSET_RANGE[-1]}; 11 works everywhere with atc"

#: atc supports opset 11 on every CANN release; from 8.x on it also takes up to 18.
DEFAULT_OPSET = 11

#: Seconds one model may take before its worker is stopped.
DEFAULT_TIMEOUT = 900.0


class ConvertOptions(Record):
    """How to convert: what ``paddle2om convert`` takes as flags.

    ``rename`` maps Paddle's names of inputs and outputs to those the ONNX file is to have. ``atol``
    and ``rtol`` override the default gate of every float output, ``tolerances`` that of the outputs
    whose names of Paddle's, or patterns of them, are its keys. ``data`` are absolute paths of files
    and folders to compare on besides the generated inputs; ``sweep`` adds many more shapes of
    dynamic dims (``converter.accuracy.inputs.sweep``). ``min_agreement`` is the share, 0 to 1,
    of texts, classes, boxes or text pixels that must be equal; None to report it only. ``threads``
    is how many CPU
    threads the native libraries of one worker may use. ``timeout`` is the seconds that one model
    may take, all stages together; ``memory`` the resident bytes that its worker and what that
    starts may have, None for no limit.
    """

    opset: int = DEFAULT_OPSET
    simplify: bool = True
    rename: dict[str, str] = Field(default_factory=dict)
    compile: CompileOptions = CompileOptions()
    atol: float | None = None
    rtol: float | None = None
    tolerances: dict[str, ToleranceOverride] = Field(default_factory=dict)
    seed: int = 0
    sweep: bool = False
    data: tuple[str, ...] = ()
    min_agreement: float | None = None
    threads: int = 1
    timeout: float = DEFAULT_TIMEOUT
    memory: int | None = None


class CacheUse(Record):
    """What of a task's results is looked up and kept in the cache in the directory ``root``.

    ``keys`` are those of the stages that can be kept, ``reference`` that of Paddle's outputs.
    ``inputs`` are the model's files, and those that options name, with size, modification and
    change time, and inode as they were when the keys were made: where one has changed since, is
    gone, or another has come, nothing is kept. ``failures`` says
    whether a kept failure counts, and ``damaged`` has stages whose result was there and could not
    be used: what of it, and how that was found. With ``carries`` the cache is the way that results
    take to who asked for them: what would not be the same another time goes there too, marked.
    """

    root: str
    keys: dict[str, str]
    reference: str | None = None
    inputs: dict[str, tuple[int, int, int, int]] = Field(default_factory=dict)
    failures: bool = False
    damaged: dict[str, tuple[str, str]] = Field(default_factory=dict)
    carries: bool = False


class Task(Record):
    """One model's way through ``stages``.

    ``name`` is unique in the run; ``model`` and ``variant`` are what it is made of.
    ``source`` is what the user named (a directory or a program file), ``work_dir`` a directory
    that only this task writes to, and ``destination`` the directory that finished artefacts move
    to. ``report_root`` is what artefact paths in the result are relative to. ``onnx_name`` is the
    file name of the ONNX model, ``om_name`` that of the OM file. ``force`` lets them replace files
    that are not ours. ``only`` names the one file that is published, without a manifest, and only
    if nothing failed. ``beside`` leaves what earlier runs published where it is. ``must_compile``
    makes it a failure when there is no atc. ``yml`` is the ``inference.yml`` of an ONNX file, None
    for the one beside it; ``om`` an OM file that a device kit is made for. ``bundle`` is a model's
    directory in a bundle that came back. ``candidate`` is what ``source`` is compared with, or the
    ONNX file that ``locate`` searches; None to record ``source`` alone. ``on_device`` says that an
    NPU computed it. ``inputs`` is an ``.npz`` file with the inputs to search on. With
    ``preflight_only`` the compile stage ends before atc starts. Without ``cache``
    nothing is looked up and nothing kept. ``fleeting`` says that ``destination`` goes when the run
    ends.
    """

    name: str
    model: str = ""
    variant: dict[str, str] = Field(default_factory=dict)
    source: str
    stages: tuple[str, ...]
    work_dir: str
    destination: str
    report_root: str
    onnx_name: str = "inference.onnx"
    force: bool = False
    om_name: str = "inference.om"
    only: str | None = None
    beside: bool = False
    must_compile: bool = False
    yml: str | None = None
    om: str | None = None
    bundle: str | None = None
    preflight_only: bool = False
    candidate: str | None = None
    on_device: bool = False
    inputs: str | None = None
    fleeting: bool = False
    options: ConvertOptions = ConvertOptions()
    cache: CacheUse | None = None
