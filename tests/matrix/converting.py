"""The two converters: ``paddle2onnx.export`` as people call it, and ``paddle2om`` itself."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from converter.engine.convert import Silent, run_conversion
from converter.model.result import ModelReport, RunReport
from converter.model.task import ConvertOptions
from tests.matrix.comparing import compare
from tests.matrix.saving import Saved, write_shapes
from tests.matrix.workers import Emit

#: Seconds one case may take in either converter.
TIMEOUT = 180.0


def bare(saved: Saved, opset: int, out: Path, keep: bool, emit: Emit) -> None:
    """Convert with paddle2onnx alone and measure what it made; runs in a worker.

    ``auto_upgrade_opset`` is on, as by default. ``optimize_tool`` is off: the default, polygraphy,
    installs packages from the network while it converts. The file is removed again unless ``keep``.
    """
    import paddle2onnx

    emit(step="export")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    paddle2onnx.export(
        str(saved.model / "inference.json"),
        str(saved.model / "inference.pdiparams"),
        str(out),
        opset_version=opset,
        optimize_tool="None",
    )
    measure(saved, out, emit)
    if not keep:
        out.unlink()


def measure(saved: Saved, onnx_file: Path, emit: Emit) -> None:
    """Load an ONNX file in ONNX Runtime, run both input sets and compare; runs in a worker."""
    import onnx
    import onnxruntime

    emit(step="read")
    model = onnx.load(str(onnx_file))
    if not model.graph.output:
        raise ValueError("the file holds no graph")
    emit(**describe(model))
    emit(step="load")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(onnx_file), options, providers=["CPUExecutionProvider"]
    )
    emit(step="run")
    wanted = {value.name for value in session.get_inputs()}
    worst, problems = 0.0, []
    for run, (inputs, reference) in enumerate(saved.arrays()):
        given = {name: array for name, array in inputs.items() if name in wanted}
        error, problem = compare(saved.case, reference, session.run(None, given))
        worst = max(worst, error) if error == error else error
        if problem:
            problems.append(f"inputs {run}: {problem}")
    emit(step="compared", error=worst if worst == worst else None, problem="; ".join(problems))


def describe(model: Any) -> dict[str, Any]:
    """Opset, IR version, number of nodes, and a digest of how often each operator is there."""
    counts: Counter[str] = Counter()
    _count(model.graph, counts)
    told = ",".join(f"{name}{count}" for name, count in sorted(counts.items()))
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    return {
        "opset": opset,
        "ir": model.ir_version,
        "nodes": sum(counts.values()),
        "histogram": hashlib.sha256(told.encode()).hexdigest()[:12],
    }


def _count(graph: Any, counts: Counter[str]) -> None:
    for node in graph.node:
        if node.op_type != "Constant":
            counts[node.op_type] += 1
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _count(attribute.g, counts)


class _Watch(Silent):
    """Tells how many models are done."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def model_finished(self, report: ModelReport) -> None:
        self._told(report.name)


def ours(
    cases: Sequence[Saved], opset: int, out: Path, *, jobs: int, told: Callable[[str], None]
) -> dict[str, ModelReport]:
    """Convert every case through ``paddle2om``'s whole path but onnxsim; case id -> its report."""
    if not cases:
        return {}
    shutil.rmtree(out, ignore_errors=True)
    for saved in cases:
        write_shapes(saved)
    report: RunReport = run_conversion(
        [saved.model for saved in cases],
        out,
        ConvertOptions(opset=opset, simplify=False, timeout=TIMEOUT),
        jobs=jobs,
        command="matrix",
        observer=_Watch(told),
    )
    if report.interrupted:
        raise KeyboardInterrupt
    return {model.name: model for model in report.models}


def file_of(report: ModelReport, out: Path) -> Path | None:
    """The ONNX file of a report: published, or kept under ``rejected/`` by a failed gate."""
    for stage in report.stages:
        for artefact in stage.artefacts:
            if artefact.path.endswith(".onnx"):
                return out / artefact.path
    return None
