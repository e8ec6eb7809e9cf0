"""Errors in the output of every CANN era: read, and explained with the model's own names."""

from __future__ import annotations

import json
import re

import pytest

from converter.atc.errors import explain, main_error, parse_errors
from converter.atc.flags import DATA
from converter.atc.model_facts import ModelFacts
from converter.model.tensor import TensorSpec

BEGIN = (
    "ATC start working now, please wait for a moment.\n...\n"
    "ATC run failed, Please check the detail log, Try 'atc --help' for more information\n"
)
STAMP = "[PID: 35688] 2025-02-15-11:52:44.357.444"
MODEL = ModelFacts(
    inputs=(TensorSpec(name="x", dtype="float32", shape=("n", 3, "h", "w")),),
    outputs=("y",),
    operators={"p2o.GridSample.0": "GridSample", "up": "ConvTranspose", "relu": "Relu"},
    opset=16,
)


def explained(words: str) -> tuple[str, str]:
    pair = explain(parse_errors(BEGIN + words), MODEL, output=BEGIN + words)
    assert pair is not None
    return pair


@pytest.mark.parametrize(
    ("words", "code", "text", "arguments", "lines"),
    [
        (
            "E19010: No parser is registered for Op [up, optype [ai.onnx::16::Up]].\n    more\n",
            "E19010",
            "No parser is registered for Op [up, optype [ai.onnx::16::Up]].",
            {"opname": "up", "optype": "ai.onnx::16::Up"},
            ("more",),
        ),
        (
            "E10001: Value [NHWC] for parameter [--input_format] is invalid. Reason: bad one.\n"
            "        Possible Cause: c\n        Solution: s\n"
            "        TraceBack (most recent call last):\n"
            "        E19999 in a trace[FUNC:f][FILE:f.cc][LINE:3]\n",
            "E10001",
            "Value [NHWC] for parameter [--input_format] is invalid. Reason: bad one.",
            {"value": "NHWC", "parameter": "--input_format", "reason": "bad one."},
            (
                "Possible Cause: c",
                "Solution: s",
                "TraceBack (most recent call last):",
                "E19999 in a trace[FUNC:f][FILE:f.cc][LINE:3]",
            ),
        ),
        (
            f"E16005: {STAMP} The model has [2] [--domain_version] fields, but one is allowed.\n"
            "        Solution: s\n",
            "E16005",
            "The model has [2] [--domain_version] fields, but one is allowed.",
            {"0": "2", "1": "--domain_version"},
            ("Solution: s",),
        ),
        (
            f"{STAMP} Invalid_Argument(E10001): Value NHWC for parameter --input_format is "
            "invalid. Reason: bad one\n        Solution: s\n",
            "E10001",
            "Value NHWC for parameter --input_format is invalid. Reason: bad one",
            {"value": "NHWC", "parameter": "--input_format", "reason": "bad one"},
            ("Solution: s",),
        ),
        (
            "E19999[PID: 7] 2025-02-15-11:52:44.357.444 Inner(E19999):  Build failed.\n",
            "E19999",
            "Build failed.",
            {},
            (),
        ),
    ],
    ids=["to-5.0", "5.1-7.0", "8", "9", "inner"],
)
def test_every_form_is_read(words, code, text, arguments, lines):
    (error,) = parse_errors(BEGIN + words)
    assert (error.code, error.text, dict(error.arguments)) == (code, text, arguments)
    assert error.lines == lines


def test_titles_of_cann_9_are_kept():
    (error,) = parse_errors(f"{STAMP} Invalid_Argument(E10009): no.\n")
    assert (error.title, str(error)) == ("Invalid_Argument", "Invalid_Argument(E10009): no.")


def test_wrappers_count_only_when_alone_and_warnings_never():
    inner = "E19999: Inner Error!\n        Build failed[FUNC:f]\n"
    warning = "W11001: Op [Slice_29] does not hit the library.\n"
    errors = parse_errors(f"{BEGIN}{warning}{inner}EZ9999: Inner Error!\nE16004: No graph.\n")
    assert [error.code for error in errors] == ["W11001", "E19999", "EZ9999", "E16004"]
    assert main_error(errors) is errors[3]
    assert str(main_error(parse_errors(warning + inner))) == (
        "E19999: Inner Error! Build failed[FUNC:f]"
    )
    assert main_error(parse_errors(warning)) is None
    assert explain(parse_errors(warning), MODEL, output=warning) is None


@pytest.mark.parametrize(
    ("words", "cause", "remedy"),
    [
        # the failures that Paddle's models meet
        (
            "E10001: Value [NULL] for parameter [input_shape] is invalid. "
            "Reason: maybe you should set input_shape",
            "dynamic inputs, and no --input_shape",
            "--input_shape",
        ),
        (
            f"E10016: {STAMP} Opname [x] specified in [--input_shape] is not found in the model",
            r"the model does not have: input x float32\[n,3,h,w\]",
            "inspect",
        ),
        ("ERROR: Non-option parameter: x", "belongs to no flag: x", "space"),
        ("ERROR: unknown command line flag 'frob'", "does not know a flag: --frob", "newer CANN"),
        (
            "E16002: No parser is registered for Op [p2o.GridSample.0] of type [GridSample].",
            r"no parser.*: operator p2o.GridSample.0 \(GridSample, opset 16\)",
            "opset 11",
        ),
        (
            f"{STAMP} Unsupported(E16002): No parser for ai.onnx::16::GridSample.",
            "operator p2o.GridSample.0",
            "opset 11",
        ),
        ("E10035: shape size [1] is less than [2].", "fewer than two", "without profiles"),
        ("E16005: The model has [2] [--domain_version] fields.", "several domains", "opset_import"),
        ("E89999: op TopK_12 output DT_INT32, expects DT_INT64", "TopK gives int32", "Cast"),
        (
            "EZ3002: Optype [Conv2DTransposeD] of Ops kernel [AIcore] is unsupported. "
            "Reason: DT_INT64 of input [input_size]",
            "transposed convolution",
            "static shape",
        ),
        ("EZ3003: No supported Ops kernel and engine are found for [up].", "up", "cut it off"),
        ("E20101: Value Ascend310P for --soc_version.", "soc_version", "npu-smi"),
        ("E40020: Failed to import Python module [te].", "Python cannot import", "set_env.sh"),
        (
            "E19999: Inner Error!\n        The opp version of the model does not match.",
            "another version of the operator package",
            "CANN version",
        ),
        ("E10041: Failed to parse the file.", "cannot read the model", "LFS"),
        ("E19999: Internal Error!\n        An unknown error occurred.", "no code", "log"),
        ("terminate: No space left on device", "disk is full", "make room"),
    ],
)
def test_explanations(words, cause, remedy):
    message, hint = explained(words)
    assert re.search(cause, message), message
    assert remedy in hint


def test_unknown_codes_are_shown_whole():
    long = "word " * 200
    message, hint = explained(f"E77777: {long}end.\n        Solution: do it.\n")
    assert message == f"E77777: {long}end. Solution: do it."
    assert "does not know" in hint


def test_without_an_error_there_is_nothing_to_explain():
    assert explain(parse_errors(BEGIN), MODEL, output=BEGIN) is None
    assert explain((), None, output="") is None


def test_every_code_has_a_cause_and_a_remedy():
    rows = json.loads((DATA / "errors.json").read_text("utf-8"))["codes"]
    assert len({row["code"] for row in rows}) == len(rows) >= 54
    for row in rows:
        if not row["code"].startswith("W"):
            message, hint = explained(f"{row['code']}: words")
            assert (message, hint) == (row["cause"], row["todo"])
