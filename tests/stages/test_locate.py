"""``locate`` on real models: planted faults are found where they are, good files are left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import onnx
import pytest

from converter.accuracy.locate.search import Search
from converter.accuracy.onnx_values import OnnxValues
from converter.errors import GateError
from converter.model.located import GrowthPoint, LocateFacts, OutputError
from converter.model.result import Status
from converter.model.task import ConvertOptions, Task
from converter.report.locate_text import verdict
from converter.stages.job import Job
from converter.stages.locate import Judged, LocateStage
from converter.stages.pipeline import LOCATE_ONNX_STAGES, LOCATE_STAGES, STAGES, stages_named
from converter.stages.stage import Outcome
from tests.accuracy.locate.faults import plant
from tests.bridge.conftest import save


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    """Returns a function that exports a model once: (as exported, simplified), at opset 13."""
    made: dict[Path, tuple[Path, Path]] = {}

    def export(source: Path) -> tuple[Path, Path]:
        if source not in made:
            work = tmp_path_factory.mktemp("exported")
            job = _job(work, source, STAGES[:3])
            files = []
            for stage in stages_named(STAGES[:3]):
                result = stage(job)
                assert not result.status.is_failure, result.error
                job.results[stage.name] = result
                if stage.name != "inspect":
                    assert job.onnx is not None
                    files.append(job.onnx)
            made[source] = (files[0], files[1])
        return made[source]

    return export


def _job(work: Path, source: Path, stages: tuple[str, ...], **task) -> Job:
    return Job(
        Task(
            name="model",
            source=str(source),
            stages=stages,
            work_dir=str(work),
            destination=str(work / "out"),
            report_root=str(work / "out"),
            options=ConvertOptions(opset=13),
            **task,
        )
    )


def locate(work: Path, source: Path, candidate: Path, stages=LOCATE_STAGES, **task):
    """Run the stages in this process; return the last result and the job."""
    work.mkdir(exist_ok=True)
    job = _job(work, source, stages, candidate=str(candidate), **task)
    for stage in stages_named(stages):
        result = stage(job)
        job.results[stage.name] = result
        assert stage.name == "locate" or not result.status.is_failure, result.error
    return result, job


def faulty(original: Path, work: Path, kind: str, at: float):
    """A copy with a planted fault; returns its path and what was planted."""
    model = onnx.shape_inference.infer_shapes(onnx.load(original))
    planted = plant(model, kind, at)
    path = work / "faulty.onnx"
    onnx.save(model, path)
    return path, planted


def check_found(result, planted) -> None:
    """The named node is the planted one, and the cause says what was done to it."""
    assert result.status is Status.FAILED
    assert result.error.exit_code == 3, result.error
    culprit = result.facts.culprit
    assert culprit is not None
    assert planted.node in culprit.node.outputs
    told = " ".join(culprit.causes)
    assert planted.cause in told or (planted.cause == "constant" and "weights" in told), told
    assert culprit.own_error > 100 * 2e-7


FAST = [
    *(
        (kind, simplified, 0.0)
        for kind in ("weights", "attribute", "padding")
        for simplified in (0, 1)
    ),
    ("constant", 1, 0.0),
]


@pytest.mark.parametrize(("kind", "simplified", "at"), FAST)
def test_faults_in_a_tiny_model(exported, tiny_pir, tmp_path, kind, simplified, at):
    path, planted = faulty(exported(tiny_pir)[simplified], tmp_path, kind, at)
    result, _ = locate(tmp_path / "work", tiny_pir, path)
    check_found(result, planted)


@pytest.mark.parametrize("simplified", [0, 1])
def test_a_good_file_is_left_alone(exported, tiny_pir, tmp_path, simplified):
    result, job = locate(tmp_path / "work", tiny_pir, exported(tiny_pir)[simplified])
    assert result.status is Status.OK
    assert isinstance(result.facts, LocateFacts)
    assert result.facts.culprit is None
    assert not result.facts.quiet
    assert result.facts.measured == result.facts.pairs > 5
    assert not job.files


CLS = [
    ("weights", 0, 0.6),
    ("attribute", 0, 0.6),
    ("swapped", 0, 0.1),
    ("constant", 0, 0.6),
    ("padding", 1, 0.6),
    ("operator", 1, 0.6),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "simplified", "at"), CLS)
def test_faults_in_the_angle_classifier(exported, cls_model, tmp_path, kind, simplified, at):
    path, planted = faulty(exported(cls_model)[simplified], tmp_path, kind, at)
    result, _ = locate(tmp_path / "work", cls_model, path)
    check_found(result, planted)


OCR = [
    ("PP-OCRv5_mobile_rec", "weights", 0, 0.9),
    ("PP-OCRv5_mobile_rec", "attribute", 1, 0.5),
    ("PP-OCRv5_mobile_det", "operator", 1, 0.3),
    ("PP-OCRv5_mobile_det", "swapped", 0, 0.5),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "simplified", "at"), OCR)
def test_faults_in_ocr_models(exported, real_models, tmp_path, name, kind, simplified, at):
    source = real_models[name]
    path, planted = faulty(exported(source)[simplified], tmp_path, kind, at)
    result, _ = locate(tmp_path / "work", source, path)
    check_found(result, planted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PP-OCRv5_mobile_rec", "ch_ppocr_mobile_v2.0_cls"])
def test_good_ocr_models_are_left_alone(exported, real_models, tmp_path, name):
    source = real_models[name]
    for index, path in enumerate(exported(source)):
        result, _ = locate(tmp_path / str(index), source, path)
        assert result.status is Status.OK, result.error
        assert not result.facts.quiet


def test_a_small_budget_halves_instead(exported, cls_model, tmp_path, monkeypatch):
    """Models too large to be compared whole: few values are, and the place is the same."""
    monkeypatch.setattr("converter.accuracy.locate.search.SCAN_GROUPS", 0)
    path, planted = faulty(exported(cls_model)[0], tmp_path, "weights", 0.6)
    result, _ = locate(tmp_path / "work", cls_model, path)
    check_found(result, planted)
    assert result.facts.method == "bisection"
    assert result.facts.measured < result.facts.pairs / 2


def test_a_node_that_cannot_run_is_found(exported, tiny_pir, tmp_path):
    model = onnx.load(exported(tiny_pir)[0])
    node = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    node.input[2] = "conv2d_0.w_0"  # of four dimensions
    path = tmp_path / "faulty.onnx"
    onnx.save(model, path)
    result, _ = locate(tmp_path / "work", tiny_pir, path)
    culprit = result.facts.culprit
    assert culprit is not None, result.error
    assert culprit.node.op_type == "BatchNormalization"
    assert culprit.own_error == float("inf")
    assert culprit.candidate is None
    assert result.facts.method == "local scan"


def test_a_static_file_of_a_dynamic_model_gets_its_own_shape(exported, tiny_pir, tmp_path):
    """Its one batch is all that it takes, and all that it is compared on."""
    path = tmp_path / "static.onnx"
    model = onnx.load(exported(tiny_pir)[0])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    onnx.save(model, path)
    result, _ = locate(tmp_path / "good", tiny_pir, path)
    assert result.status is Status.OK, result.error
    assert all(shape[0] == 1 for shape in result.facts.input_shapes.values())

    path, planted = faulty(path, tmp_path, "weights", 0.0)
    result, _ = locate(tmp_path / "work", tiny_pir, path)
    check_found(result, planted)


def test_a_file_that_refuses_the_inputs_is_not_said_to_differ(exported, tiny_pir, tmp_path):
    """Every node by itself computes what it should: what is wrong is what the file declares."""
    paths = []
    for batch in (2, 1):
        model = onnx.load(exported(tiny_pir)[0])
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        del model.graph.value_info[:]
        paths.append(tmp_path / f"{batch}.onnx")
        onnx.save(model, paths[-1])
    result, _ = locate(tmp_path / "work", *paths, LOCATE_ONNX_STAGES)
    assert result.error.exit_code == 1
    assert result.error.message.startswith("1.onnx was not compared: ONNX Runtime cannot run")
    assert "--inputs" in result.error.hint


def test_two_onnx_files_of_other_names(exported, cls_model, tmp_path):
    """Inner tensors that are all called otherwise are paired by what makes them."""
    original = exported(cls_model)[1]
    model = onnx.load(original)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    kept |= {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [n if n in kept or not n else f"other/{n}" for n in names]
    plain = tmp_path / "other.onnx"
    del model.graph.value_info[:]
    onnx.save(model, plain)
    result, _ = locate(tmp_path / "good", original, plain, LOCATE_ONNX_STAGES)
    assert result.status is Status.OK, result.error
    assert result.facts.measured == result.facts.tensors  # all of them

    path, planted = faulty(plain, tmp_path, "weights", 0.5)
    result, _ = locate(tmp_path / "work", original, path, LOCATE_ONNX_STAGES)
    culprit = result.facts.culprit
    assert culprit is not None
    assert planted.node in culprit.node.outputs


def _two_inputs(path: Path, *, swapped: bool, prefix: str = "", alpha: float = 0.1) -> Path:
    """Two branches alike but for their inputs, whose order in the file may be another."""
    from onnx import TensorProto, helper

    def name(text: str) -> str:
        return f"{prefix}{text}"

    nodes = [
        helper.make_node("LeakyRelu", ["q"], [name("leaky")], alpha=alpha),
        *(helper.make_node("Sigmoid", [text], [name(f"{text}1")]) for text in "pq"),
        helper.make_node("Sub", [name("p1"), name("q1")], [name("apart")]),
        helper.make_node("Mul", [name("apart"), name("leaky")], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info(text, TensorProto.FLOAT, [4, 8]) for text in "pq"]
    graph = helper.make_graph(
        nodes,
        "two",
        inputs[::-1] if swapped else inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 8])],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_inputs_that_are_declared_in_another_order(tmp_path):
    reference = _two_inputs(tmp_path / "reference.onnx", swapped=False)
    good = _two_inputs(tmp_path / "good.onnx", swapped=True, prefix="other/")
    result, _ = locate(tmp_path / "good", reference, good, LOCATE_ONNX_STAGES)
    assert result.status is Status.OK, result.error
    assert result.facts.culprit is None
    assert not result.facts.quiet

    bad = _two_inputs(tmp_path / "bad.onnx", swapped=True, prefix="other/", alpha=0.5)
    result, _ = locate(tmp_path / "bad", reference, bad, LOCATE_ONNX_STAGES)
    assert result.facts.culprit is not None
    assert result.facts.culprit.node.op_type == "LeakyRelu"
    assert result.facts.culprit.causes == ("attribute: alpha is 0.5 instead of 0.1",)


@pytest.fixture(scope="module")
def sequence_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM, a transformer layer and a classifier, with seeded weights."""
    import paddle
    from paddle import nn

    class Sequence(nn.Layer):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(6, 16)
            self.lstm = nn.LSTM(16, 16)
            self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, activation="gelu")
            self.last = nn.Linear(16, 5)

        def forward(self, x0):
            y, _ = self.lstm(nn.functional.tanh(self.first(x0)))
            return nn.functional.softmax(self.last(self.encoder(y)))

    paddle.seed(3)
    directory = tmp_path_factory.mktemp("sequence")
    save(Sequence(), [((-1, 7, 6), "float32")], directory)
    return directory


@pytest.mark.parametrize(
    ("kind", "simplified", "at"),
    [("weights", 0, 0.0), ("weights", 1, 0.9), ("constant", 0, 0.9), ("operator", 1, 0.9)],
)
def test_faults_in_a_sequence_model(exported, sequence_model, tmp_path, kind, simplified, at):
    path, planted = faulty(exported(sequence_model)[simplified], tmp_path, kind, at)
    result, _ = locate(tmp_path / "work", sequence_model, path)
    check_found(result, planted)


def test_a_good_sequence_model_is_left_alone(exported, sequence_model, tmp_path):
    for index, path in enumerate(exported(sequence_model)):
        result, _ = locate(tmp_path / str(index), sequence_model, path)
        assert result.status is Status.OK, result.error
        assert not result.facts.quiet


def test_a_file_of_bare_paddle2onnx(tmp_path):
    """No repair, no lowering, weights in Constant nodes: names are paddle2onnx's own."""
    import paddle
    from paddle import nn
    from paddle2onnx import paddle2onnx_cpp2py_export as native

    paddle.seed(1)
    net = nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Conv2D(4, 4, 3), nn.Sigmoid())
    program = save(net, [((-1, 3, 16, 16), "float32")], tmp_path)
    data = native.export(
        str(program), str(program.with_suffix(".pdiparams")),
        13, True, False, False, True, True, {}, "onnxruntime", "", "", False,
    )  # fmt: skip
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(data)
    result, _ = locate(tmp_path / "good", tmp_path, bare)
    assert result.status is Status.OK, result.error
    path, planted = faulty(bare, tmp_path, "weights", 0.9)
    result, _ = locate(tmp_path / "work", tmp_path, path)
    check_found(result, planted)


def test_the_bundle_shows_the_difference_by_itself(exported, tiny_pir, tmp_path):
    path, _ = faulty(exported(tiny_pir)[0], tmp_path, "attribute", 0.9)
    result, job = locate(tmp_path / "work", tiny_pir, path)
    assert result.facts.bundle == "repro"
    away = tmp_path / "away"
    away.mkdir()
    for name, (file, _) in job.files.items():
        (away / Path(name).name).write_bytes(file.read_bytes())
    command = [sys.executable, "-I", str(away / "repro.py")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert "pd_op.leaky_relu" in ended.stdout
    assert "max abs difference" in ended.stdout
    onnx.checker.check_model(str(away / "model.onnx"))
    # With the value of the file itself there is nothing to show.
    expected = dict(np.load(away / "expected.npz"))
    (name,) = expected
    import onnxruntime

    session = onnxruntime.InferenceSession(str(away / "model.onnx"))
    (found,) = session.run([name], dict(np.load(away / "inputs.npz")))
    np.savez(away / "expected.npz", **{name: found})
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_inputs_of_the_user(exported, tiny_pir, tmp_path):
    path, _ = faulty(exported(tiny_pir)[0], tmp_path, "attribute", 0.9)
    given = tmp_path / "given.npz"
    # Leaky ReLU of numbers that are all positive: the fault does not show.
    np.savez(given, x=np.zeros((1, 3, 8, 8), np.float32))
    result, _ = locate(tmp_path / "work", tiny_pir, path, inputs=str(given))
    assert result.facts.case == "the inputs given"
    assert result.facts.input_shapes == {"x": (1, 3, 8, 8)}
    np.savez(given, y=np.zeros(3))
    result, _ = locate(tmp_path / "other", tiny_pir, path, inputs=str(given))
    assert result.error.exit_code == 2
    assert "has no x" in result.error.message
    given.write_text("no arrays")
    result, _ = locate(tmp_path / "third", tiny_pir, path, inputs=str(given))
    assert result.error.exit_code == 2


def test_nothing_compared_is_no_agreement(tmp_path):
    from onnx import TensorProto, helper

    node = helper.make_node("NonZero", ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "empty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, None])],
    )
    path = tmp_path / "empty.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    given = tmp_path / "zeros.npz"
    np.savez(given, x=np.zeros(2, np.float32))
    result, _ = locate(tmp_path / "work", path, path, LOCATE_ONNX_STAGES, inputs=str(given))
    assert result.status is Status.FAILED
    assert "nothing was compared" in result.error.message

    for number, (words, array) in enumerate(
        {
            "x is float64 [2], not float32": np.zeros(2),
            "x is <U1 [2], not float32": np.array(["a", "b"]),
            "does not fit": np.zeros((1, 2), np.float32),
            "nothing to compare": np.zeros(0, np.float32),
        }.items()
    ):
        np.savez(given, x=array)
        work = tmp_path / f"work-{number}"
        result, _ = locate(work, path, path, LOCATE_ONNX_STAGES, inputs=str(given))
        assert words in result.error.message
        assert result.error.exit_code == 2
        assert "inputs are x float32[2]" in result.error.hint


def test_a_float16_file_of_a_float32_model(tmp_path):
    """What float16 rounds is no divergence; a fault in such a file is found all the same."""
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    weights = [generator.normal(size=(8, 8)) / 3 for _ in range(2)]
    paths = []
    for kind, dtype in ((TensorProto.FLOAT, np.float32), (TensorProto.FLOAT16, np.float16)):
        graph = helper.make_graph(
            [
                helper.make_node("MatMul", ["x", "w0"], ["a"]),
                helper.make_node("Relu", ["a"], ["b"]),
                helper.make_node("MatMul", ["b", "w1"], ["y"]),
            ],
            "net",
            [helper.make_tensor_value_info("x", kind, [4, 8])],
            [helper.make_tensor_value_info("y", kind, [4, 8])],
            [numpy_helper.from_array(w.astype(dtype), f"w{i}") for i, w in enumerate(weights)],
        )
        paths.append(tmp_path / f"{dtype.__name__}.onnx")
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), paths[-1])
    result, _ = locate(tmp_path / "good", *paths, LOCATE_ONNX_STAGES)
    # The gate's dtype is another: that is told, and no operator is blamed for it.
    assert result.facts.culprit is None
    path, planted = faulty(paths[1], tmp_path, "weights", 0.9)
    result, _ = locate(tmp_path / "work", paths[0], path, LOCATE_ONNX_STAGES)
    culprit = result.facts.culprit
    assert culprit is not None
    assert planted.node in culprit.node.outputs


def test_another_models_file_is_refused(exported, tiny_pir, cls_model, tmp_path):
    result, _ = locate(tmp_path / "work", tiny_pir, exported(cls_model)[0])
    assert result.error.exit_code == 2
    assert "outputs" in result.error.message


def _norms(tmp_path: Path, *, swapped: bool) -> Path:
    """A layer norm, in its long form, and a product behind it."""
    from onnx import TensorProto, helper, numpy_helper

    from tests.stages.test_validate import layer_norm

    nodes = layer_norm(swapped)
    nodes[-1].output[:] = ["normed and shifted"]
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type} {number}"
    nodes.append(helper.make_node("MatMul", ["normed and shifted", "w"], ["y"], "product"))
    generator = np.random.default_rng(0)
    constants = {"two": 2, "epsilon": 1e-5, "scale": np.ones(16), "shift": np.zeros(16)}
    constants["w"] = generator.normal(size=(16, 4))
    tensors = [
        numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(
        nodes,
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 4])],
        tensors,
    )
    path = tmp_path / f"{'swapped' if swapped else 'good'}.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_a_fault_that_fusion_hides_is_found(tmp_path):
    """ONNX Runtime's layer norm takes the operands of the division in either order."""
    good, swapped = (_norms(tmp_path, swapped=each) for each in (False, True))
    result, _ = locate(tmp_path / "work", good, swapped, LOCATE_ONNX_STAGES)
    culprit = result.facts.culprit
    assert result.status is Status.FAILED
    assert culprit is not None
    assert culprit.node.op_type == "Div"
    assert any("swapped" in cause for cause in culprit.causes)


def test_the_search_is_told_whether_there_is_something_to_find(tmp_path, monkeypatch):
    told, run = [], Search.run
    monkeypatch.setattr(Search, "run", lambda search: told.append(search.failed) or run(search))
    for swapped in (False, True):
        files = [_norms(tmp_path, swapped=each) for each in (False, swapped)]
        locate(tmp_path / str(swapped), *files, LOCATE_ONNX_STAGES)
    assert told == [False, True]


@pytest.mark.parametrize(
    ("unjudged", "own", "words"),
    [
        (0, 1e-6, "every operator by itself computes what it should: rounding grows"),
        (0, 0.5, "no operator that differs by itself changes what comes after it: rounding grows"),
        (3, 1e-6, "the place was not found: of the values inside, 3 could be neither compared nor"),
    ],
)
def test_only_operators_that_were_found_right_are_declared_right(unjudged, own, words):
    point = GrowthPoint(index=0, operator="Relu", value="a", tensor="a", error=0, own=own)
    facts = LocateFacts(
        reference="one",
        candidate="two",
        opset=13,
        input_shapes={},
        case="uniform, seed 0",
        outputs=(OutputError(name="y", error=1, passed=False, reason="max_abs 1"),),
        pairs=9,
        measured=6,
        unjudged=unjudged,
        tensors=9,
        method="local scan",
        growth=(point,),
    )
    with pytest.raises(GateError) as failure:
        job = SimpleNamespace(task=SimpleNamespace(fleeting=False))
        LocateStage().ensures(cast(Job, job), Outcome(facts=facts))
    assert words in failure.value.message
    assert ("not found" in verdict(facts)) == bool(unjudged)


def test_an_output_that_the_reference_does_not_give_out_is_counted(tmp_path, monkeypatch):
    """No operator is blamed, and none is declared right that was not looked at."""
    evaluate = OnnxValues.evaluate

    def without_y(values, names, inputs, **options):
        kept = [name for name in names if name != "y" or options.get("sizes") is None]
        return evaluate(values, kept, inputs, **options)

    files = [_norms(tmp_path, swapped=each) for each in (False, False)]
    monkeypatch.setattr(OnnxValues, "evaluate", without_y)
    monkeypatch.setattr("converter.stages.locate._compare", _never)
    result, _ = locate(tmp_path / "work", *files, LOCATE_ONNX_STAGES)
    assert result.facts.unjudged == 1
    assert "the place was not found" in result.error.message


def _never(case, made, job, random):
    output = OutputError(name="y", error=1, passed=False, reason="max_abs 1")
    return Judged(case, (output,))


def test_two_good_files_with_a_fusion_agree(tmp_path):
    good = _norms(tmp_path, swapped=False)
    result, _ = locate(tmp_path / "work", good, good, LOCATE_ONNX_STAGES)
    assert result.status is Status.OK, result.error
    assert result.facts.culprit is None and not result.facts.quiet


def test_a_difference_that_no_output_shows_is_told_and_is_no_failure(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    paths = []
    for factor in (2, 3):
        graph = helper.make_graph(
            [
                helper.make_node("Mul", ["x", "factor"], ["a"], "scaled"),
                helper.make_node("Mul", ["a", "zero"], ["b"], "hardly seen"),
                helper.make_node("Add", ["b", "x"], ["y"], "last"),
            ],
            "quiet",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 8])],
            [
                numpy_helper.from_array(np.float32(value), name)
                for name, value in {"factor": factor, "zero": 1e-6}.items()
            ],
        )
        paths.append(tmp_path / f"{factor}.onnx")
        opset = [helper.make_opsetid("", 13)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), paths[-1])
    result, job = locate(tmp_path / "work", *paths, LOCATE_ONNX_STAGES)
    assert not result.status.is_failure, result.error
    assert result.facts.culprit is None
    assert "Mul at scaled (Mul) differs by" in result.facts.quiet
    assert not job.files
