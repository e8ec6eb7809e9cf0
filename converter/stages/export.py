"""Stage 2: Paddle program -> ONNX at exactly the opset asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.bridge.legacy_program import translate_legacy_program
from converter.bridge.provenance import record_provenance
from converter.bridge.signature import name_signature, rename_signature
from converter.bridge.translate import translate
from converter.bridge.weights import check_external, write_external
from converter.errors import StageError
from converter.model import onnx_file
from converter.model.paddle_dir import PaddleModel
from converter.model.pdiparams import ParamHeader
from converter.model.pir_document import load_pir
from converter.model.result import ExportFacts, InspectFacts, Message, Status
from converter.model.task import DEFAULT_OPSET
from converter.model.tensor import TensorSpec
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage


class ExportStage(Stage):
    """Repairs the program where it must be, calls paddle2onnx, and trusts nothing it returns."""

    name = "export"
    reads = ("opset", "rename")
    tools = ("python", "paddlepaddle", "paddle2onnx", "onnx", "onnxruntime", "numpy")
    rooms = ("stages", "model", "bridge")

    def run(self, job: Job) -> Outcome:
        """Write the ONNX file; facts are read back from the file itself."""
        import onnx

        assert job.model is not None
        described = job.facts(InspectFacts)
        program, params = _as_pir(job.model, job.work_dir)
        content = load_pir(program)
        data_name = f"{job.task.onnx_name}.data"
        translated = translate(
            content,
            program,
            params,
            opset=job.options.opset,
            work_dir=job.work_dir,
            data_name=data_name,
        )
        model = translated.model
        name_signature(model, described.inputs, described.outputs)
        rename = job.options.rename
        if rename:
            rename_signature(model, rename, [spec.name for spec in described.inputs])
        record_provenance(model, job.model, translated.repairs)
        job.onnx = job.work_dir / "exported.onnx"
        onnx.save_model(model, job.onnx)
        job.add_file(job.task.onnx_name, job.onnx, self.name)
        if translated.external and params is not None:
            data = job.work_dir / data_name
            write_external(translated.external, params, data)
            check_external(translated.external, params, data)
            job.add_file(data_name, data, self.name)

        facts = onnx_file.describe(model)
        exported = ExportFacts(
            opset_requested=job.options.opset,
            opset=facts.opset,
            ir_version=facts.ir_version,
            nodes=facts.nodes,
            initializer_bytes=facts.initializer_bytes
            + sum(item.header.nbytes for item in translated.external),
            repairs=translated.repairs,
            inputs=facts.inputs,
            outputs=facts.outputs,
            random_outputs=translated.random,
        )
        inside = translated.parameters - {item.header.name for item in translated.external}
        _check_parameters(model, translated.headers, inside, params)
        if not translated.random:
            return Outcome(facts=exported)
        drawn = Message(
            level="warning",
            text=f"random numbers decide {', '.join(translated.random)}: "
            "compared in shape, dtype and range only",
            hint="compare such a model by statistics over many runs",
        )
        return Outcome(facts=exported, status=Status.DEGRADED, messages=(drawn,))

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """The file passes ONNX's checker, loads in ONNX Runtime and has Paddle's signature."""
        assert job.onnx is not None
        assert isinstance(outcome.facts, ExportFacts)
        try:
            onnx_file.check(job.onnx)
        except StageError as error:
            if job.options.opset >= DEFAULT_OPSET:
                raise
            # paddle2onnx writes operators of later opsets into such files.
            raise StageError(
                error.message, hint=f"this model needs a higher opset: try --opset {DEFAULT_OPSET}"
            ) from error
        job.session(job.onnx)
        described = job.facts(InspectFacts)
        for kind in ("inputs", "outputs"):
            expected = getattr(described, kind)
            found = getattr(outcome.facts, kind)
            names = job.options.rename
            if kind == "outputs" and not _same_types(expected, found):
                expected = _as_computed(job, expected)
            expected = tuple(
                spec.model_copy(update={"name": names.get(spec.name, spec.name)})
                for spec in expected
            )
            _check_signature(kind, expected, found)


def _as_pir(model: PaddleModel, work_dir: Path) -> tuple[Path, Path | None]:
    if model.format == "legacy":
        return translate_legacy_program(model, work_dir)
    return model.program, model.params


def _check_parameters(
    model: Any, headers: tuple[ParamHeader, ...], used: set[str], params: Path | None
) -> None:
    """Every parameter of ``used`` is in the ONNX graph, byte for byte.

    Raises ``StageError`` naming the first parameter that is missing or differs.
    """
    if not used:
        return
    stored = onnx_file.tensor_bytes(model)
    missing = sorted(used - stored.keys())
    if missing or params is None:
        raise StageError(
            f"{len(missing)} of {len(used)} parameters are not in the exported model "
            f"(first: {missing[0] if missing else '-'})",
            hint="check the .pdiparams file",
        )
    with params.open("rb") as file:
        for header in headers:
            if header.name not in used:
                continue
            file.seek(header.offset)
            if file.read(header.nbytes) != stored[header.name]:
                raise StageError(
                    f"parameter {header.name} differs from the one in {params.name}",
                    hint="report this model: the export changed a weight",
                )


def _same_types(expected: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> bool:
    """Whether dtypes and ranks of two signatures are the same."""
    return [(spec.dtype, spec.rank) for spec in expected] == [
        (spec.dtype, spec.rank) for spec in found
    ]


def _as_computed(job: Job, declared: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """Outputs with the dtypes and ranks that Paddle computes, where it declares others.

    Paddle 3.3.1 does so for ``unique``, ``equal_all`` and ``slogdet``.
    """
    (case,) = job.reference.first(1)
    computed = []
    for spec in declared:
        array = case.outputs[spec.name]
        if (array.dtype.name, array.ndim) != (spec.dtype, spec.rank):
            shape = tuple(f"{spec.name}_axis{axis}" for axis in range(array.ndim))
            spec = spec.model_copy(update={"dtype": array.dtype.name, "shape": shape})
        computed.append(spec)
    return tuple(computed)


def _check_signature(kind: str, expected: tuple[Any, ...], found: tuple[Any, ...]) -> None:
    """Names, dtypes, ranks and fixed extents are Paddle's, in Paddle's order.

    An input is as dynamic as Paddle's; an output may say more than Paddle does, but not otherwise.
    """
    if [spec.name for spec in expected] != [spec.name for spec in found]:
        raise StageError(
            f"{kind} are {', '.join(spec.name for spec in found) or 'none'} instead of "
            f"{', '.join(spec.name for spec in expected) or 'none'}",
            hint="report this model: the export changed its signature",
        )
    for want, have in zip(expected, found, strict=True):
        same = want.dtype == have.dtype and want.rank == have.rank
        if not same or not _extents_agree(want, have, exactly=kind == "inputs"):
            raise StageError(
                f"{kind[:-1]} {want.name} is {have} instead of {want}",
                hint="report this model: the export changed its signature",
            )


def _extents_agree(want: TensorSpec, have: TensorSpec, *, exactly: bool) -> bool:
    """Whether the extents of one rank are the same; ``exactly``: and open where the others are."""
    return all(
        one == other if isinstance(one, int) and isinstance(other, int) else not exactly
        for one, other in zip(want.shape, have.shape, strict=True)
        if isinstance(one, int) or isinstance(other, int)
    )
