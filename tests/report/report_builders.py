"""Run reports made by hand, one for each thing that the views must cope with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converter.model.comparison import CaseComparison, OutputComparison, ValidateFacts
from converter.model.result import (
    Artefact,
    CompileFacts,
    ErrorInfo,
    ExportFacts,
    InspectFacts,
    Message,
    ModelReport,
    PipelineReport,
    RepairApplied,
    RunReport,
    SimplifyFacts,
    StageResult,
    Status,
)
from converter.model.tensor import ShapeHint, TensorSpec
from converter.model.tolerance import Tolerance
from converter.report.atomic import write_text_atomically
from converter.report.json_file import render_json

NAN, INF = float("nan"), float("inf")

_X = TensorSpec(name="x", dtype="float32", shape=("batch", 3, 48, "width"))
_Y = TensorSpec(name="fetch_name_0", dtype="float32", shape=("batch", "fetch_name_0_axis1", 18385))

SCALAR_REPAIR = RepairApplied(
    name="scalar-constant-rank",
    count=3,
    reason="paddle2onnx writes a 0-D tensor as a 1-D one, which ONNX Runtime refuses to broadcast",
)
SPLIT_REPAIR = RepairApplied(
    name="split-as-attribute",
    count=1,
    reason="below opset 13 Split takes its sizes as an attribute",
)


def output(name: str = "fetch_name_0", **changes: object) -> OutputComparison:
    """One compared output, equal but for rounding unless ``changes`` say otherwise."""
    values: dict[str, object] = {
        "name": name,
        "dtype": "float32",
        "shape": (1, 40, 18385),
        "elements": 735400,
        "max_abs": 9.5367431640625e-06,
        "max_rel": 0.000212,
        "scaled": 9.6e-06,
        "relative_l2": 1.23e-07,
        "cosine": 0.99999999,
        "argmax_agreement": 1.0,
        "nan_reference": 0,
        "nan_candidate": 0,
        "inf_reference": 0,
        "inf_candidate": 0,
        "passing_atol": 0.0,
        "passed": True,
    }
    return OutputComparison.model_validate(values | changes)


def validated(*outputs: OutputComparison, width: int = 320) -> ValidateFacts:
    """The facts of a validation of one text-like and one random case."""
    outputs = outputs or (output(),)
    return ValidateFacts(
        tolerance=Tolerance(atol=1e-4, rtol=1e-3, min_cosine=0.9999),
        cases=tuple(
            CaseComparison(
                label=label,
                input_shapes={"x": (1, 3, 48, width)},
                seed=seed,
                outputs=outputs,
                passed=all(one.passed for one in outputs),
            )
            for seed, label in enumerate(("text line", "uniform noise"))
        ),
        rejected_shapes=("x=[1, 3, 48, 4]: Paddle itself cannot run it",),
    )


def inspected() -> StageResult:
    return StageResult(
        stage="inspect",
        status=Status.OK,
        facts=InspectFacts(
            format="pir",
            program_file="inference.json",
            params_file="inference.pdiparams",
            yml_file="inference.yml",
            model_name="PP-OCRv5_mobile_rec",
            paddle_version="3.1.0",
            inputs=(_X,),
            outputs=(_Y,),
            parameter_count=4_138_921,
            parameter_bytes=16_555_684,
            operators={"conv2d": 62, "batch_norm_": 58, "hardswish": 41, "pool2d": 3, "matmul": 11},
            shape_hints={
                "x": ShapeHint(min=(1, 3, 48, 160), opt=(1, 3, 48, 320), max=(8, 3, 48, 3200))
            },
        ),
        seconds=0.031,
        peak_memory=91_000_000,
    )


def exported(status: Status = Status.OK, *, opset: int = 11, asked: int = 11) -> StageResult:
    degraded = Message(
        level="warning",
        text=f"exported at opset {opset}: operator grid_sample has no lowering below opset {opset}",
        hint=f"ask for --opset {opset} to make this the plan",
    )
    return StageResult(
        stage="export",
        status=status,
        artefacts=(Artefact(path="rec/inference.onnx", bytes=16_712_004, sha256="3f" * 32),),
        facts=ExportFacts(
            opset_requested=asked,
            opset=opset,
            ir_version=7,
            nodes=949,
            initializer_bytes=16_555_684,
            repairs=(SCALAR_REPAIR, SPLIT_REPAIR),
            inputs=(_X,),
            outputs=(_Y,),
        ),
        messages=(degraded,) if status is Status.DEGRADED else (),
        seconds=0.42,
        peak_memory=612_000_000,
    )


def simplified() -> StageResult:
    return StageResult(
        stage="simplify",
        status=Status.OK,
        artefacts=(Artefact(path="rec/simplified.onnx", bytes=16_600_112, sha256="a1" * 32),),
        facts=SimplifyFacts(
            nodes_before=949,
            nodes_after=443,
            compared_shapes=({"x": (1, 3, 48, 320)}, {"x": (2, 3, 48, 640)}),
            max_abs=1.2e-06,
        ),
        seconds=1.94,
        peak_memory=788_000_000,
    )


def validation(facts: ValidateFacts | None = None, **changes: object) -> StageResult:
    values: dict[str, object] = {
        "stage": "validate",
        "status": Status.OK,
        "facts": facts or validated(),
        "seconds": 3.27,
        "peak_memory": 1_204_000_000,
    }
    return StageResult.model_validate(values | changes)


def compiled(*, om: bool = False) -> StageResult:
    argv = (
        "atc",
        "--framework=5",
        "--model=rec/inference.onnx",
        "--output=rec/inference",
        "--input_format=ND",
        "--input_shape=x:1,3,48,-1",
        "--dynamic_dims=160;320;640",
        "--soc_version=Ascend310P3",
        "--precision_mode=must_keep_origin_dtype",
    )
    return StageResult(
        stage="compile",
        status=Status.OK,
        artefacts=(
            Artefact(path="rec/inference.om", bytes=9_432_110, sha256="0c" * 32)
            if om
            else Artefact(path="rec/atc.sh", bytes=611, sha256="0c" * 32),
        ),
        facts=CompileFacts(
            soc_version="Ascend310P3",
            argv=argv,
            input_shape="x:1,3,48,-1",
            script="rec/atc.sh",
            om_bytes=9_432_110 if om else None,
        ),
        seconds=41.2 if om else 0.004,
        peak_memory=2_310_000_000 if om else 0,
    )


def write_json(report: RunReport, path: Path) -> None:
    """``report.json`` as a run writes it."""
    write_text_atomically(path, render_json(report))


def model(name: str, *stages: StageResult, log: str | None = None) -> ModelReport:
    return ModelReport(name=name, source=f"models/{name}", stages=stages, log=log)


def good(name: str, *, om: bool = False) -> ModelReport:
    return model(name, inspected(), exported(), simplified(), validation(), compiled(om=om))


def failed(stage: str, message: str, hint: str, code: int = 1, **changes: object) -> StageResult:
    values: dict[str, object] = {
        "stage": stage,
        "status": Status.FAILED,
        "error": ErrorInfo(message=message, hint=hint, exit_code=code),
        "seconds": 2.5,
        "peak_memory": 640_000_000,
    }
    return StageResult.model_validate(values | changes)


def skipped(stage: str, reason: str) -> StageResult:
    return StageResult(
        stage=stage, status=Status.SKIPPED, messages=(Message(level="info", text=reason),)
    )


def run(models: Sequence[ModelReport], **changes: object) -> RunReport:
    values: dict[str, object] = {
        "version": "0.1.0",
        "command": "paddle2om convert models/* -o out --opset 11 --soc Ascend310P3",
        "started": "2025-11-03T14:02:11+00:00",
        "seconds": 42.7,
        "platform": "Linux-6.1-x86_64, Python 3.11.7, 2 CPUs",
        "versions": {
            "paddlepaddle": "3.3.1",
            "paddle2onnx": "2.1.0",
            "onnx": "1.17.0",
            "onnxruntime": "1.22.0",
        },
        "out_dir": "out",
        "models": tuple(models),
    }
    return RunReport.model_validate(values | changes)


def all_ok() -> RunReport:
    """Three models and a pipeline that reads what Paddle reads."""
    texts = (
        "登机牌",
        "BOARDING PASS",
        "航班 FLIGHT",
        "MU 2379",
        "日期 DATE",
        "03DEC",
        "舱位",
        "座位号",
    )
    return run(
        [
            good("PP-OCRv5_mobile_det", om=True),
            good("PP-OCRv5_mobile_rec", om=True),
            good("PP-LCNet_x1_0_textline_ori"),
        ],
        pipelines=(
            PipelineReport(
                name="OCR",
                config="out/pipelines/OCR.yaml",
                backend="onnx",
                modules={
                    "TextDetection": "out/PP-OCRv5_mobile_det",
                    "TextRecognition": "out/PP-OCRv5_mobile_rec",
                },
                image="general_ocr_002.png",
                texts=texts + ("G11",) * 4,
                scores=(0.998, 0.995, 0.97, 0.99, 0.96, 0.999, 0.93, 0.98, 0.9, 0.9, 0.9, 0.9),
                reference_texts=texts + ("G11",) * 4,
                seconds=2.91,
            ),
        ),
    )


def mixed() -> RunReport:
    """Every status, NaN, long and hostile names, a pipeline that disagrees and one that broke."""
    nan = output(
        max_abs=NAN,
        max_rel=NAN,
        scaled=NAN,
        relative_l2=NAN,
        cosine=NAN,
        argmax_agreement=None,
        nan_candidate=735400,
        passing_atol=None,
        passed=False,
        reason="NaN in the candidate where Paddle has numbers",
    )
    far = output(
        "softmax_0.tmp_0",
        max_abs=0.0312,
        max_rel=INF,
        scaled=0.0312,
        relative_l2=0.0042,
        cosine=0.99991,
        argmax_agreement=0.975,
        inf_candidate=2,
        passing_atol=0.0302001,
        passed=False,
        reason="max abs 0.031 is above 1.0e-04 + 1.0e-03 × 0.99",
    )
    gate = "output softmax_0.tmp_0 differs from Paddle by 0.031, and 1.1e-03 is allowed"
    no_soc = "no --soc was given"
    cached = exported().model_copy(update={"status": Status.CACHED, "seconds": 0.002})
    warned = validation(
        messages=(
            Message(
                level="warning",
                text="compared at one width only: inference.yml gives no shapes for 图像 x",
                hint="add shapes to the recipe",
            ),
        )
    )
    crash = failed(
        "export",
        "the export worker was killed by signal 11 (SIGSEGV) in paddle2onnx\n"
        "  last operator: pd_op.grid_sample\n  \x1b[31mAborted\x1b[0m (core dumped)",
        "report it to paddle2onnx with the log, and leave this model out of the recipe",
        4,
        status=Status.CRASHED,
    )
    hang = failed(
        "simplify",
        "onnxsim did not end within 300 s",
        "raise --timeout, or pass --no-simplify",
        4,
        status=Status.TIMEOUT,
        seconds=300.2,
    )
    return run(
        [
            model(
                "PP-OCRv5_server_det",
                inspected(),
                exported(Status.DEGRADED, opset=16),
                simplified(),
                validation(),
                skipped("compile", no_soc),
            ),
            model("PP-OCRv5_server_rec", inspected(), cached, simplified(), warned, compiled()),
            model(
                "PP-FormulaNet_plus-L_with_a_very_long_name_that_somebody_gave_to_a_fine_tuned_copy_v20250817",
                inspected(),
                exported(),
                simplified(),
                failed(
                    "validate",
                    gate,
                    "run paddle2om locate to find where",
                    3,
                    facts=validated(output(), far),
                ),
                log="logs/PP-FormulaNet.log",
            ),
            model(
                "表格 结构 <script>alert('x')</script> [bold]",
                inspected(),
                crash,
                log="logs/表格 结构.log",
            ),
            model("SLANet_plus", inspected(), exported(), hang),
            model(
                "RT-DETR-H_layout_17cls",
                inspected(),
                exported(),
                simplified(),
                failed(
                    "validate",
                    "all 735,400 elements are NaN",
                    "run paddle2om locate",
                    3,
                    facts=validated(nan),
                ),
            ),
            model(
                "broken",
                failed(
                    "inspect",
                    "models/broken has no inference.json and no inference.pdmodel",
                    "give the directory that PaddlePaddle exported, not the training checkpoint",
                    2,
                ),
            ),
            good("PP-LCNet_x1_0_doc_ori"),
        ],
        seconds=361.0,
        pipelines=(
            PipelineReport(
                name="OCR",
                config="out/pipelines/OCR.yaml",
                backend="om",
                modules={"TextDetection": "out/PP-OCRv5_server_det"},
                texts=("登机脾", "BOARDING PASS", "<b>FLIGHT</b>"),
                scores=(0.71, 0.995, 0.97),
                reference_texts=("登机牌", "BOARDING PASS", "<b>FLIGHT</b>", "日期"),
                seconds=2.9,
            ),
            PipelineReport(
                name="table recognition",
                config="out/pipelines/table_recognition.yaml",
                backend="onnx",
                modules={},
                error=ErrorInfo(
                    message="module TableStructureRecognition has no converted model",
                    hint="convert SLANet_plus first",
                    exit_code=1,
                ),
            ),
        ),
    )


def empty() -> RunReport:
    return run([])


def zoo() -> RunReport:
    """Sixty models, one in ten failed."""
    broken = failed("export", "operator pd_op.nms has no lowering", "ask for --opset 13")
    return run(
        [
            model(f"zoo_{index:02d}", inspected(), broken)
            if index % 10 == 7
            else good(f"zoo_{index:02d}")
            for index in range(60)
        ]
    )


REPORTS = {"all_ok": all_ok, "mixed": mixed, "empty": empty, "zoo": zoo}
