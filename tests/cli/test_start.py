"""The command starts light and says what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.command import paddle2om

HEAVY = ("numpy", "onnx", "onnxruntime", "onnxsim", "paddle", "paddle2onnx", "pydantic", "PIL")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], []),
        (["--version"], []),
        (["convert", "--help"], ["pydantic"]),  # typer asks whether an option is a pydantic type
    ],
)
def test_nothing_heavy_is_imported(arguments, allowed):
    script = (
        "import sys\n"
        f"sys.argv = ['paddle2om', *{arguments!r}]\n"
        "from converter.cli.main import entry\n"
        "try:\n    entry()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == f"LOADED {allowed}"


def test_importing_the_package_is_light():
    script = f"import converter, sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ("transmogrify", "No such command 'transmogrify'", "paddle2om --help"),
        ("convert x --opset abc", "'--opset': it is not a whole number", "choose 7 to 21; 11"),
        ("convert x --opset 1.5", "'--opset': it is not a whole number", "choose 7 to 21; 11"),
        ("convert x --atol ²", "'--atol': it is not a number", "paddle2om convert --help"),
        ("convert x --jobs 0", "'--jobs': give at least 1", "paddle2om convert --help"),
        (f"convert x --seed {'9' * 5000}", "the number is too long", "paddle2om convert --help"),
        ("convert x --target no", "'no' is not one of 'paddlex'", "paddle2om convert --help"),
        ("convert x --nope", "No such option: --nope", "paddle2om convert --help"),
        ("validate a b --data x", "No such option: --data", "paddle2om validate --help"),
        ("convert x --opsett 9", "No such option: --opsett", "did you mean --opset? paddle2om"),
        ("convert", "Missing argument 'MODEL...'", "paddle2om convert --help"),
    ],
    ids=lambda text: text[:24],
)
def test_wrong_arguments_are_told_as_any_mistake(arguments, error, hint):
    ended = paddle2om(*arguments.split())

    assert ended.returncode == 2
    told, helps = ended.stderr.splitlines()
    assert told.startswith("error: ")
    assert error in told
    assert "Possible options" not in told
    assert "Input should" not in told and "Value error" not in told
    assert helps.startswith(f"hint: {hint}")


def test_no_arguments_are_a_question_for_help():
    ended = paddle2om()
    assert ended.returncode == 2
    assert "convert" in ended.stderr + ended.stdout
    assert "error:" not in ended.stderr


def test_inspect_prints_json(tiny_pir):
    import json

    ended = paddle2om("inspect", tiny_pir, "--json")

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["operators"]["pd_op.leaky_relu"] == 1


def test_inspect_of_nothing(tmp_path):
    ended = paddle2om("inspect", tmp_path / "missing")

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "\nhint: " in ended.stderr


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
def test_ctrl_c_before_anything_runs_is_told(sent):
    script = (
        "import os, signal, sys\n"
        "from converter.engine.doctor import examine\n"
        f"examine.check_python = lambda: os.kill(os.getpid(), signal.{sent})\n"
        "sys.argv = ['paddle2om', 'doctor', '--json']\n"
        "from converter.cli.main import entry\n"
        "entry()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert ended.returncode == 130
    assert ended.stderr == "error: interrupted\nhint: run the same command again\n"
    assert '"exit_code": 130' in ended.stdout
