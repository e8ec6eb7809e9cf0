"""Precision files: what is malformed or names nothing is said before atc ignores it."""

from __future__ import annotations

import pytest

from converter.atc.config_files import check_config_file
from converter.errors import InputError

OPERATORS = {"conv_1": "Conv", "/head/softmax": "Softmax", "a::b": "Add"}


def check(flag, text, tmp_path):
    file = tmp_path / "operators.cfg"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_config_file(flag, file, OPERATORS)


@pytest.mark.parametrize(
    ("flag", "text", "names"),
    [
        ("keep_dtype", "conv_1\n\n/head/softmax\nOpType::SoftmaxV2\n", ("conv_1", "/head/softmax")),
        (
            "customize_dtypes",
            "conv_1::InputDtype:float16,float16,OutputDtype:float32\n",
            ("conv_1",),
        ),
        ("customize_dtypes", "a::b::InputDtype:float16,OutputDtype:float16", ("a::b",)),
        ("customize_dtypes", "OpType::Conv2D:InputDtype:float16,OutputDtype:float32", ()),
        ("modify_mixlist", '{"black-list": {"to-add": ["SoftmaxV2"], "to-remove": []}}', ()),
        ("op_precision_mode", "[ByOpType]\nExp=high_precision\n", ()),
        ("op_precision_mode", "[ByNodeName]\nconv_1 = high_precision\n", ("conv_1",)),
    ],
)
def test_what_is_right(flag, text, names, tmp_path):
    assert check(flag, text, tmp_path) == names


@pytest.mark.parametrize(
    ("flag", "text", "words", "hint"),
    [
        ("keep_dtype", "", "is empty", "leave --keep-dtype out"),
        ("keep_dtype", b"\xff\xfe", "is not text", "--keep-dtype"),
        ("keep_dtype", "x" * (1 << 20) + "y", "too large", ""),
        ("keep_dtype", "conv_1\nconv_2", "line 2: .*'conv_2'", "did you mean conv_1"),
        ("keep_dtype", "Softmax", "no operator called 'Softmax'", "the nodes of it are /head/soft"),
        ("keep_dtype", "OpType:Conv", "line 1 is not OpType::Type", ""),
        ("customize_dtypes", "conv_1:float16", "line 1 is not of the form", "InputDtype:"),
        (
            "customize_dtypes",
            "conv_1::InputDtype:fp16,OutputDtype:float16",
            "the dtype 'fp16'",
            "float16",
        ),
        (
            "customize_dtypes",
            "conv_9::InputDtype:float16,OutputDtype:float16",
            "no operator called 'conv_9'",
            "conv_1",
        ),
        ("modify_mixlist", "{", "is not valid JSON", "black-list"),
        ("modify_mixlist", "[" * 1000 + "]" * 1000, "is not valid JSON", "black-list"),
        ("modify_mixlist", "[]", "not a JSON object", "black-list"),
        ("modify_mixlist", '{"red-list": {}}', "no list 'red-list'", "black-list"),
        ("modify_mixlist", '{"black-list": {"add": []}}', "other keys", "black-list"),
        (
            "modify_mixlist",
            '{"black-list": {"to-add": "Exp"}}',
            "not a list of types",
            "black-list",
        ),
        ("op_precision_mode", "Exp=high_precision", "no section headers", "ByOpType"),
        ("op_precision_mode", "[ByName]\nExp=high_precision", r"no section \[ByName\]", "ByOpType"),
        ("op_precision_mode", "[ByOpType]\nExp=", "Exp has no mode", "ByOpType"),
        ("op_precision_mode", "[ByNodeName]\nExp=high_precision", "called 'Exp'", ""),
    ],
)
def test_what_is_wrong(flag, text, words, hint, tmp_path):
    with pytest.raises(InputError, match=words) as refused:
        check(flag, text, tmp_path)
    assert hint in refused.value.hint
