"""``paddle2om validate``: Paddle, ONNX and recorded outputs, and what is wrong with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter import validate
from converter.model.comparison import ValidateFacts
from tests.command import paddle2om

ROOT = Path(__file__).parents[2]
CLS = ROOT / "fixtures/ch_ppocr_mobile_v2.0_cls"
OUTPUT = "softmax_0.tmp_0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier as ONNX, the same with a weight changed, and Paddle's outputs recorded."""
    directory = tmp_path_factory.mktemp("validate")
    assert paddle2om("convert", CLS, "-o", directory / "out", "-q").returncode == 0
    (directory / "out" / CLS.name / "inference.onnx").rename(directory / "good.onnx")
    model = onnx.load(directory / "good.onnx")
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] *= 3
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, directory / "wrong.onnx")
    recorded = paddle2om("validate", CLS, "--record", directory / "cases")
    assert recorded.returncode == 0
    assert recorded.stdout.strip() == str(directory / "cases")
    return directory


def case_of(made: Path) -> dict[str, np.ndarray]:
    return dict(np.load(sorted((made / "cases").glob("*.npz"))[0]))


def test_paddle_against_onnx_passes_and_shows_every_output(made: Path, tmp_path: Path) -> None:
    done = paddle2om("validate", CLS, made / "good.onnx", "-o", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["case", "output", "verdict"]
    assert len(lines) == 6
    assert "not optimised" in lines[5]
    assert all(OUTPUT in line and "pass" in line for line in lines[1:])
    report = json.loads((tmp_path / "report/report.json").read_text("utf-8"))
    assert [stage["stage"] for stage in report["models"][0]["stages"]] == ["validate"]
    assert "good.onnx" in (tmp_path / "report/report.html").read_text("utf-8")


def test_a_wrong_model_exits_with_3_and_says_what_would_pass(made: Path) -> None:
    done = paddle2om("validate", CLS, made / "wrong.onnx")
    assert done.returncode == 3
    assert "FAIL" in done.stdout
    assert "does not agree" in done.stderr
    told = "".join(done.stderr.split())  # it may be folded
    assert f"hint:paddle2omlocate{CLS}{made}/wrong.onnxfindstheoperator;--jsonor-oDIR" in told
    limits = done.stderr.partition("would pass with")[2].split()[0]
    again = paddle2om("validate", CLS, made / "wrong.onnx", "--tolerance", f"{OUTPUT}:{limits}")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("first", ["record", "onnx"])
def test_records_stand_for_the_model(made: Path, first: str) -> None:
    sides = [made / "cases", made / "good.onnx"]
    report = validate(*(sides if first == "record" else sides[::-1]))
    assert report.exit_code == 0
    facts = report.models[0].facts("validate")
    assert isinstance(facts, ValidateFacts)
    assert len(facts.cases) == 4
    assert 0 < facts.worst_max_abs < 1e-5


def test_two_records_need_no_model(made: Path, tmp_path: Path) -> None:
    case = case_of(made)
    half = case[f"output:{OUTPUT}"].astype(np.float16) + np.float16(0.01)
    np.savez(tmp_path / "device.npz", **{OUTPUT: half})
    wanted = sorted((made / "cases").glob("*.npz"))[0]
    assert paddle2om("validate", wanted, tmp_path / "device.npz").returncode == 3
    assert paddle2om("validate", wanted, tmp_path / "device.npz", "--device").returncode == 0


def write_sides(made: Path, tmp_path: Path) -> dict[str, object]:
    """Sides that are wrong in one way each."""
    case = case_of(made)
    np.savez(tmp_path / "other-input.npz", **(case | {"input:x": case["input:x"] + 1}))
    np.savez(tmp_path / "other-output.npz", other=np.zeros(3))
    np.savez(tmp_path / "plain.npz", **{OUTPUT: case[f"output:{OUTPUT}"]})
    np.savez(tmp_path / "empty.npz")
    np.savez(tmp_path / "wide.npz", **(case | {"input:x": case["input:x"].astype(np.float64)}))
    np.savez(tmp_path / "neither.npz", **case, z=np.zeros(3))
    np.save(tmp_path / "single", np.zeros(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    nothing = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    nothing.graph.node.append(onnx.helper.make_node("Identity", ["x"], ["y"]))
    nothing.graph.input.append(onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1]))
    onnx.save(nothing, tmp_path / "nothing.onnx")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 no zip")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    (tmp_path / "model.om").write_bytes(b"IMOD")
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "both").mkdir()
    for name in ("a.onnx", "a.npz"):
        (tmp_path / "both" / name).write_bytes(b"")
    np.savez(tmp_path / "nan.npz", **{OUTPUT: np.full_like(case[f"output:{OUTPUT}"], np.nan)})
    np.savez(tmp_path / "turned.npz", **{OUTPUT: case[f"output:{OUTPUT}"].T})
    return {"case": sorted((made / "cases").glob("*.npz"))[0]}


@pytest.mark.parametrize(
    ("first", "second", "at_fault", "flags"),
    [
        ("broken.onnx", "good.onnx", "broken.onnx", []),
        ("good.onnx", "broken.onnx", "broken.onnx", ["-q"]),
        ("broken.onnx", "empty.npz", "broken.onnx", ["--json"]),
        ("good.onnx", "missing.onnx", "missing.onnx", []),
    ],
)
def test_a_file_that_is_wrong_is_told_once_and_by_its_name(
    made: Path, tmp_path: Path, first: str, second: str, at_fault: str, flags: list[str]
) -> None:
    write_sides(made, tmp_path)
    shutil.copy(made / "good.onnx", tmp_path)
    done = paddle2om("validate", tmp_path / first, tmp_path / second, *flags)
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"error: {tmp_path / at_fault} ")
    assert hint.startswith("hint: ")
    assert bool(done.stdout) == (flags == ["--json"])


def test_what_is_wrong_is_one_clear_error(made: Path, tmp_path: Path) -> None:
    case = write_sides(made, tmp_path)["case"]
    expected = {
        ("case", "other-input.npz"): (2, "made from other inputs: x"),
        ("case", "other-output.npz"): (2, "other outputs"),
        ("case", "empty.npz"): (2, "holds no outputs"),
        ("case", "neither.npz"): (2, "holds z: neither input nor output"),
        ("case", "single.npz"): (2, "one array without a name"),
        ("case", "nothing.onnx"): (2, "has no outputs"),
        ("case", "broken.npz"): (2, "not a file of NumPy arrays"),
        ("case", "broken.onnx"): (2, "broken.onnx"),
        ("case", "model.om"): (2, "runs on an NPU only"),
        ("case", "notes.txt"): (2, "is a .txt file"),
        ("case", "both"): (2, "an ONNX file and recorded outputs"),
        ("good.onnx", "plain.npz"): (2, "has no input:x"),
        ("good.onnx", "wide.npz"): (2, "x is float64"),
        ("cases", "plain.npz"): (2, "cases that only one side has"),
        ("case", "nan.npz"): (3, "NaN/Inf pattern differs"),
        ("case", "turned.npz"): (3, "shape differs"),
    }
    places = {"case": case, "good.onnx": made / "good.onnx", "cases": made / "cases"}
    for (first, second), (code, words) in expected.items():
        report = validate(places[first], tmp_path / second)
        failure = report.models[0].failure
        assert failure is not None and failure.error is not None, second
        assert words in failure.error.message, second
        assert report.exit_code == code, second
        assert failure.error.hint


def test_names_are_paired_one_to_one(tmp_path: Path) -> None:
    """``--rename y=z`` once made the candidate's own, wrong y disappear behind z."""
    y = np.arange(6.0, dtype=np.float32)
    np.savez(tmp_path / "ref.npz", y=y)
    np.savez(tmp_path / "more.npz", y=y + 1, z=y)
    np.savez(tmp_path / "two.npz", y=y, z=y + 1)
    for first, second, rename, words in (
        ("ref", "more", {"y": "z"}, "one name"),
        ("ref", "ref", {"q": "r"}, "no input or output of the reference"),
    ):
        report = validate(tmp_path / f"{first}.npz", tmp_path / f"{second}.npz", rename=rename)
        error = report.models[0].stages[-1].error
        assert error is not None and words in error.message
        assert report.exit_code == 2 and error.hint
    swapped = {"y": "z", "z": "y"}
    assert validate(tmp_path / "two.npz", tmp_path / "more.npz", rename=swapped).exit_code == 0
    assert validate(tmp_path / "two.npz", tmp_path / "more.npz").exit_code == 3


def test_a_path_that_is_not_there_is_told_once(made: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    for words in ((CLS, missing), (missing, CLS), (missing, "--record", tmp_path / "cases")):
        done = paddle2om("validate", *words)
        assert (done.returncode, done.stdout) == (2, "")
        error, hint = done.stderr.splitlines()
        assert error == f"error: {missing} does not exist"
        assert hint.startswith("hint: check the path")


def test_a_command_line_that_means_nothing_is_refused(made: Path) -> None:
    for words in (
        (CLS,),
        (CLS, CLS, "--record", "x"),
        (CLS, CLS, "--tolerance", "y"),
        (CLS, CLS, "--timeout", "inf"),
    ):
        done = paddle2om("validate", *words)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "\nhint: " in done.stderr


def test_a_tolerance_must_be_of_an_output(made: Path) -> None:
    report = validate(made / "cases", made / "good.onnx", tolerances={"sotfmax": {"atol": 0}})
    assert report.exit_code == 2
    report = validate(made / "cases", made / "good.onnx", tolerances={"*": {"atol": 0, "rtol": 0}})
    assert report.exit_code == 3


def test_names_are_paired_with_rename(made: Path, tmp_path: Path) -> None:
    case = case_of(made)
    np.savez(tmp_path / "renamed.npz", logits=case[f"output:{OUTPUT}"])
    wanted = sorted((made / "cases").glob("*.npz"))[0]
    assert validate(wanted, tmp_path / "renamed.npz", rename={OUTPUT: "logits"}).exit_code == 0


def test_a_fault_that_onnx_runtimes_fusion_hides_is_seen(tmp_path: Path) -> None:
    """The same layer norm in two files, in one with the operands of its division swapped."""
    from tests.stages.test_validate import layer_norm

    for name, swapped in (("good.onnx", False), ("swapped.onnx", True)):
        x, y = (
            onnx.helper.make_tensor_value_info(each, onnx.TensorProto.FLOAT, (4, 16))
            for each in ("x", "y0")
        )
        constants = {"two": 2, "epsilon": 1e-5, "scale": np.ones(16), "shift": np.zeros(16)}
        tensors = [
            onnx.numpy_helper.from_array(np.asarray(value, np.float32), each)
            for each, value in constants.items()
        ]
        graph = onnx.helper.make_graph(layer_norm(swapped), "g", [x], [y], tensors)
        opset = onnx.helper.make_opsetid("", 13)
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / name
        )

    good = validate(tmp_path / "good.onnx", tmp_path / "good.onnx")
    assert good.exit_code == 0
    report = validate(tmp_path / "good.onnx", tmp_path / "swapped.onnx")
    assert report.exit_code == 3
    cases = report.models[0].facts("validate").cases
    assert [case.passed for case in cases] == [True] * (len(cases) - 1) + [False]
    assert cases[-1].label.endswith("not optimised")


def test_classes_are_compared_where_a_side_says_what_it_is(made: Path, tmp_path: Path) -> None:
    shutil.copytree(CLS, tmp_path / "cls")
    yml = "Global: {model_name: x}\nPostProcess: {name: ClsPostProcess, label_list: ['0', '180']}\n"
    (tmp_path / "cls" / "inference.yml").write_text(yml)
    same = validate(tmp_path / "cls", made / "good.onnx", min_agreement=1.0)
    assert same.exit_code == 0
    facts = same.models[0].facts("validate")
    assert isinstance(facts, ValidateFacts)
    told = {case.label.split()[0]: case.task for case in facts.cases if "not opt" not in case.label}
    assert told["text"] is not None
    assert (told["text"].kind, told["text"].agreement) == ("class", 1.0)
    assert told["wide"] is None  # noise has no class

    # The two classes swapped, and a tolerance that does not mind.
    (tmp_path / "swapped").mkdir()
    for file in (made / "cases").glob("*.npz"):
        arrays = dict(np.load(file))
        arrays[f"output:{OUTPUT}"] = arrays[f"output:{OUTPUT}"][:, ::-1]
        np.savez(tmp_path / "swapped" / file.name, **arrays)
    loose = ("--tolerance", "atol=2,min_cosine=-1")
    warned = paddle2om("validate", tmp_path / "cls", tmp_path / "swapped", *loose)
    assert warned.returncode == 0, warned.stderr
    assert "0 became 180" in warned.stderr or "180 became 0" in warned.stderr
    failed = paddle2om(
        *("validate", tmp_path / "cls", tmp_path / "swapped", *loose, "--min-agreement", "1")
    )
    assert failed.returncode == 3
    assert "classes differ on" in failed.stderr
    assert "rejected/" not in failed.stderr

    # Nobody says what kind of model it is.
    unknown = paddle2om("validate", CLS, made / "good.onnx", "--min-agreement", "1")
    assert unknown.returncode == 3
    assert "no text, class or box was compared" in unknown.stderr


def test_the_yml_beside_an_onnx_file_counts_too(made: Path, tmp_path: Path) -> None:
    yml = "Global: {model_name: x}\nPostProcess: {name: ClsPostProcess, label_list: ['0', '180']}\n"
    shutil.copy(made / "good.onnx", tmp_path / "good.onnx")
    (tmp_path / "inference.yml").write_text(yml)
    report = validate(CLS, tmp_path / "good.onnx", min_agreement=1.0)
    assert report.exit_code == 0
    report = validate(made / "cases", tmp_path / "good.onnx", min_agreement=1.0)
    assert report.exit_code == 0
    facts = report.models[0].facts("validate")
    assert isinstance(facts, ValidateFacts)
    assert [case.task is not None for case in facts.cases] == [
        "text" in case.label for case in facts.cases
    ]


def test_a_record_has_no_agreement(tmp_path: Path) -> None:
    done = paddle2om("validate", CLS, "--record", tmp_path / "x", "--min-agreement", "1")
    assert done.returncode == 2
    assert "--min-agreement" in done.stderr


def test_hints_name_what_was_not_done_yet(made: Path, tmp_path: Path) -> None:
    case = case_of(made)
    np.savez(tmp_path / "bad.npz", **{f"output:{OUTPUT}": case[f"output:{OUTPUT}"] + 1})
    first = sorted((made / "cases").glob("*.npz"))[0]
    done = paddle2om("validate", first, tmp_path / "bad.npz", "-q", "-o", tmp_path / "report")
    assert done.stderr.splitlines()[1:] == ["hint: the first is the reference"]
