from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from converter.cli.render import parse_choices, parse_sizes, render_command
from converter.errors import InputError
from converter.paddlex.base import installed_paddlex

MakeModel = Callable[..., Path]

app = typer.Typer()
app.command()(render_command)


@pytest.fixture
def models(make_model: MakeModel, tmp_path: Path) -> Path:
    for name, kind, shape in (
        ("PP-OCRv5_mobile_det", "det", "x:1,3,736,736"),
        ("PP-OCRv5_mobile_rec", "rec", None),
    ):
        make_model(name, kind, files=("inference.onnx", "inference.om"), om_input_shape=shape)
    return tmp_path / "models"


def test_a_config_that_paddlex_would_not_take_for_a_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["OCR", "--models", str(tmp_path), "-o", str(tmp_path / "x.txt")]
    )
    assert isinstance(result.exception, InputError)
    assert "x.txt for the name of a pipeline" in result.exception.message
    assert not (tmp_path / "x.txt").exists()


def test_stdout_is_the_path_and_notes_go_to_stderr(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    result = CliRunner().invoke(app, ["OCR", "--models", str(models), "-o", str(out)])
    assert result.exit_code == 0
    assert result.stdout == f"{out}\n"
    # PaddleX 3.7 has newer models in its config; without PaddleX, ours has these.
    installed = installed_paddlex() is not None
    instead = {
        kind: f", instead of PP-OCRv6_medium_{kind}" if installed else "" for kind in ("det", "rec")
    }
    assert {tuple(line.split(maxsplit=1)) for line in result.stderr.splitlines()} == {
        ("DocPreprocessor.DocOrientationClassify", "off: no model"),
        ("DocPreprocessor.DocUnwarping", "off: no model"),
        ("TextDetection", "PP-OCRv5_mobile_det  onnx on cpu" + instead["det"]),
        ("TextLineOrientation", "off: no model"),
        ("TextRecognition", "PP-OCRv5_mobile_rec  onnx on cpu" + instead["rec"]),
    }
    config = yaml.safe_load(out.read_text())
    assert not config["use_doc_preprocessor"] and not config["use_textline_orientation"]
    modules = config["SubModules"]
    for name in ("TextDetection", "TextRecognition"):
        assert modules[name]["engine"] == "onnxruntime"


def test_a_link_leads_to_the_config_that_is_written(models: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "configs" / "ocr.yaml", tmp_path / "link.yaml"
    link.symlink_to(target)
    for _ in range(2):
        result = CliRunner().invoke(app, ["OCR", "--models", str(models), "-o", str(link)])
        assert result.exit_code == 0
        assert result.stdout == f"{link}\n"
        assert link.is_symlink()
        assert "SubModules" in yaml.safe_load(target.read_text())


def test_json_and_om(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    arguments = ["OCR", "--models", str(models), "-o", str(out), "--backend", "om", "--json"]
    arguments += ["--device", "npu:2", "--shape", "TextRecognition=3,48,640"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    written = json.loads(result.stdout)
    assert (written["config"], written["backend"]) == (str(out), "om")
    assert "see --shape" not in result.stderr  # both shapes were checked
    modules = yaml.safe_load(out.read_text())["SubModules"]
    assert modules["TextDetection"]["input_shape"] == [3, 736, 736]
    module = modules["TextRecognition"]
    assert module["input_shape"] == [3, 48, 640]
    assert module["hpi_config"]["device_id"] == 2


def test_someone_elses_file_stays(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    out.write_text("mine: true\n")
    arguments = ["OCR", "--models", str(models), "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)
    assert out.read_text() == "mine: true\n"
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize("text", ["TextDetection", "=x", "TextDetection="])
def test_malformed_choices(text: str) -> None:
    with pytest.raises(InputError, match="is not MODULE=VALUE"):
        parse_choices([text], "--use", "A=B")


def test_contradicting_choices() -> None:
    with pytest.raises(InputError, match="names A twice"):
        parse_choices(["A=1", "A=2"], "--use", "A=B")


@pytest.mark.parametrize("text", ["A=3", "A=3,48", "A=1,3,48,320", "A=3,48,x"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(InputError, match="is not three numbers"):
        parse_sizes([text])


BLOCKED = ("paddlex", "paddle", "onnx", "onnxruntime", "numpy", "paddle2onnx")


@pytest.mark.parametrize("backend", ["onnx", "om"])
def test_nothing_heavy_is_imported(models: Path, tmp_path: Path, backend: str) -> None:
    """Neither PaddleX nor Paddle need be importable, and no model is loaded."""
    script = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {BLOCKED!r}:\n"
        "            raise ImportError(f'{name} was imported')\n"
        "sys.meta_path.insert(0, Block())\n"
        "from converter.cli.main import entry\n"
        "sys.argv = ['paddle2om', *sys.argv[1:]]\n"
        "entry()\n"
    )
    arguments = ["render", "OCR", "--models", str(models), "-o", str(tmp_path / "o.yaml")]
    arguments += ["--backend", backend, "--shape", "TextRecognition=3,48,640", "--json"]
    if backend == "onnx":
        arguments = [*arguments[:-3], "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "imported" in done.stderr) == (0, False), done.stderr
    report = json.loads(done.stdout)
    assert {module["state"] for module in report["modules"]} == {"served", "off"}


def test_json_lists_modules_edits_and_warnings(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "ocr.yaml"
    arguments = ["OCR", "--models", str(models), "-o", str(out), "--backend", "om", "--json"]
    arguments += ["--place", "TextRecognition=onnx", "--paddlex", "3.4"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    served = {m["module"]: m for m in report["modules"] if m["state"] == "served"}
    assert {name: (m["backend"], m["device"]) for name, m in served.items()} == {
        "TextDetection": ("om", "npu:0"),
        "TextRecognition": ("onnx", "cpu"),
    }
    assert served["TextDetection"]["input_shape"] == [3, 736, 736]
    edits = {edit["key"]: edit["after"] for edit in report["edits"]}
    assert edits["SubModules.TextDetection.batch_size"] == 1
    assert edits["use_textline_orientation"] is False
    assert {"device-argument", "hpi-plugin"} <= {w["id"] for w in report["warnings"]}
    for warning in report["warnings"]:
        assert f"warning: {warning['message']}" in result.stderr
        assert f"hint: {warning['fix']}" in result.stderr


def test_a_bare_model_is_completed_beside_the_config(
    make_model: MakeModel, models: Path, tmp_path: Path
) -> None:
    (models / "PP-OCRv5_mobile_det" / "inference.yml").unlink()
    out = tmp_path / "ocr.yaml"
    arguments = ["OCR", "--models", str(models), "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert "PP-OCRv5_mobile_det  onnx on cpu" in result.stderr and "completed" in result.stderr
    made = tmp_path / "ocr-models" / "PP-OCRv5_mobile_det"
    assert yaml.safe_load(out.read_text())["SubModules"]["TextDetection"]["model_dir"] == str(made)
    assert (made / "inference.yml").is_file() and (made / "inference.onnx").is_file()
    # What is in the way of the config is noticed before anything is made.
    out.write_text("mine: true\n")
    elsewhere = [*arguments, "--ready-dir", str(tmp_path / "other")]
    assert isinstance(CliRunner().invoke(app, elsewhere).exception, InputError)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "om", "--device", "cpu"], "does not run on cpu"),
        (["--device", "quantum"], "is not a device"),
        (["--paddlex", "2.0"], "PaddleX 2.0 is not known"),
        (["--place", "TextDetection=fast"], "there is no backend fast"),
        (["--place", "TextDetection"], "is not MODULE=VALUE"),
        (["--use", "TextDetection=none"], "cannot be switched off"),
        (["--base-dir", "."], "no pipeline configs"),
        (["-o", "."], "is a directory"),
    ],
)
def test_mistakes_write_nothing(
    models: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(models)
    out = tmp_path / "ocr.yaml"
    result = CliRunner().invoke(app, ["OCR", "--models", str(models), "-o", str(out), *arguments])
    assert isinstance(result.exception, InputError)
    assert message in result.exception.message
    assert result.exception.hint
    assert result.stdout == ""
    assert not out.exists()


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_only_one_line_is_put_before_a_users_file(
    models: Path, tmp_path: Path, start: bytes, line_end: bytes
) -> None:
    lines = [
        b"# mine: \xe6\xa8\xa1\xe5\x9e\x8b",
        b"pipeline_name: OCR",
        b"SubModules:",
        b"  TextDetection:",
        b"    model_name: 'PP-OCRv5_mobile_det'  # fine",
        b'    model_dir: "old"  # why',
    ]
    base, out = tmp_path / "mine.yaml", tmp_path / "out.yaml"
    base.write_bytes(start + line_end.join(lines))
    for source in (base, out):  # ours is a base as good as theirs
        result = CliRunner().invoke(
            app, [str(source), "--models", str(models), "-o", str(out), "--backend", "paddle"]
        )
        assert isinstance(result.exception, InputError)  # there are no Paddle files
        result = CliRunner().invoke(app, [str(source), "--models", str(models), "-o", str(out)])
        assert result.exit_code == 0, result.exception
        directory = str(models / "PP-OCRv5_mobile_det").encode()
        new = [b'    model_dir: "' + directory + b'"  # why', b"    engine: onnxruntime"]
        marker, written = out.read_bytes().removeprefix(start).split(line_end, 1)
        assert marker.startswith(b"# Made by paddle2om")
        assert written == line_end.join([*lines[:-1], *new])
        assert yaml.safe_load(out.read_bytes())["pipeline_name"] == "OCR"
