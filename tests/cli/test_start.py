"""The command starts light and says what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


def test_an_unknown_command_is_a_usage_error():
    command = [sys.executable, "-m", "converter.cli.main", "transmogrify"]
    ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_inspect_prints_json(tiny_pir):
    import json

    command = [sys.executable, "-m", "converter.cli.main", "inspect", str(tiny_pir), "--json"]
    ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["operators"]["pd_op.leaky_relu"] == 1


def test_inspect_of_nothing(tmp_path):
    command = [sys.executable, "-m", "converter.cli.main", "inspect", str(tmp_path / "missing")]
    ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert "\nhint: " in ended.stderr
