"""The check's child process and its report, with a small PaddleX made up here.

tests/paddlex_runs has the real ones.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from converter.cli.check import check_command
from converter.errors import InputError, StageError, WorkerError
from converter.paddlex.check import CheckReport, check_config, require_sound

app = typer.Typer()
app.command()(check_command)

FILES = {
    "paddlex/__init__.py": """
        __version__ = "3.7.2"
        from .inference import create_pipeline
    """,
    "paddlex/inference/__init__.py": """
        import logging, yaml
        from .models import create_predictor
        def load_pipeline_config(path):
            with open(path) as file: return yaml.safe_load(file)
        def create_pipeline(*, config, **arguments):
            from .pipelines.base import BasePipeline
            logging.getLogger("paddlex").warning("a  warning\\nof PaddleX %s", arguments)
            BEFORE
            return BasePipeline(config, **arguments)
    """,
    "paddlex/inference/models/__init__.py": """
        def create_predictor(model_name, *, model_dir, engine, **rest):
            import onnxruntime
            if model_name == "broken": raise ValueError("Model name mismatch: expected it")
            if model_name == "om":
                from ultra_infer import ModelFormat, Runtime, RuntimeOption
                option = RuntimeOption()
                option.use_ascend(rest["hpi_config"]["device_id"])
                option.set_model_path(model_dir + "/inference.om", "", ModelFormat.OM)
                option.use_om_backend()
                return Runtime(option)
            if model_name == "converts":
                import subprocess
                subprocess.run(["paddlex", "--paddle2onnx"])
            return onnxruntime.InferenceSession(model_dir + "/inference.onnx", providers=["CPU"])
    """,
    "paddlex/inference/pipelines/__init__.py": "",
    "paddlex/utils/__init__.py": "",
    "paddlex/utils/deps.py": "",
    "paddlex/inference/pipelines/base.py": """
        class BasePipeline:
            def __init__(self, config, **arguments):
                self.models = [
                    self.create_model(module) for module in config["SubModules"].values()
                ]
                for absent in self.models[2:]: absent.attributes.are.not_needed()
            def create_model(self, config, **kwargs):
                from ..models import create_predictor
                return create_predictor(
                    model_name=config["model_name"], model_dir=config.get("model_dir"),
                    engine=config.get("engine"), hpi_config=config.get("hpi_config"),
                    batch_size=config.get("batch_size", 1), **kwargs,
                )
            def predict(self, image):
                PREDICT
    """,
    "onnxruntime/__init__.py": """
        from types import SimpleNamespace
        class InferenceSession:
            def __init__(self, path, providers): open(path).close()
            def get_providers(self): return ["CPUExecutionProvider"]
            def get_inputs(self): return [SimpleNamespace(name="x", shape=[1, 3, None, "w"])]
    """,
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made-up PaddleX, on the path of child processes."""
    import textwrap

    for name, text in FILES.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).replace("BEFORE", "pass"))
    put(tmp_path / "site", PREDICT='yield {"rec_texts": ["a"], "rec_scores": [0.5]}')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("PADDLE2OM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "site"


def put(site: Path, **replacements: str) -> None:
    for path in site.rglob("*.py"):
        text = path.read_text()
        for word, code in replacements.items():
            text = text.replace(word, code)
        path.write_text(text)


def config(tmp_path: Path, **modules: dict[str, Any]) -> Path:
    for name, settings in modules.items():
        directory = tmp_path / "models" / name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "inference.onnx").touch()
        settings.setdefault("model_name", "onnx")
        settings.setdefault("model_dir", str(directory))
    path = tmp_path / "t.yaml"
    content = {"pipeline_name": "OCR", "SubModules": modules}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_what_each_module_opens(site: Path, tmp_path: Path) -> None:
    om = {"backend": "om", "device_type": "npu", "device_id": 2}
    path = config(
        tmp_path,
        TextDetection={"engine": "onnxruntime"},
        TextRecognition={"model_name": "om", "use_hpip": True, "hpi_config": om},
        Third={"model_name": "broken"},
        Fourth={"model_name": "converts"},
    )
    report = check_config(path)
    assert (report.paddlex, report.wrapper, report.ultra_infer) == ("3.7.2", None, "missing")
    assert report.warnings == ("a warning of PaddleX {}",)
    det, rec, third, fourth = report.modules
    assert (det.state, det.engine, det.device, det.files, det.problems) == (
        "loaded", "onnxruntime", "cpu", (str(tmp_path / "models/TextDetection/inference.onnx"),), ()
    )  # fmt: skip
    assert (rec.state, rec.engine, rec.device) == ("resolved", "ultra_infer/om", "npu:2")
    assert (third.state, third.problems[0].name) == ("failed", "model-name")
    assert (fourth.state, fourth.problems[0].name) == ("failed", "no-onnx")
    with pytest.raises(StageError, match="Model name mismatch"):
        require_sound(report)


def test_nothing_is_downloaded(site: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.touch()
    report = check_config(config(tmp_path, TextDetection={"model_dir": None}), images=[image])
    assert report.modules[0].state == "download"
    assert report.modules[0].problems[0].message == "TextDetection: PaddleX would download onnx"
    require_sound(report)
    with pytest.raises(StageError, match="no image was read: TextDetection has no model yet"):
        require_sound(report, 1)


def test_missing_packages_do_not_hide_the_modules(site: Path, tmp_path: Path) -> None:
    (site / "paddlex" / "utils" / "deps.py").write_text(
        "def require_extra(extra):\n    raise RuntimeError('requires additional dependencies')\n"
    )
    put(site, **{"pass\n": "from paddlex.utils import deps; deps.require_extra('ocr')\n"})
    report = check_config(config(tmp_path, TextDetection={}))
    assert [problem.name for problem in report.problems] == ["missing-extra"]
    assert report.modules[0].state == "loaded"


def test_relative_directories_are_the_users(site: Path, tmp_path: Path) -> None:
    path = config(tmp_path, TextDetection={"model_dir": "models/TextDetection"})
    report = check_config(path)
    assert report.modules[0].state == "loaded"
    assert [p.name for p in report.modules[0].problems] == ["relative-model-dir"]
    require_sound(report)


def test_images_are_read_when_all_is_loaded(site: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.touch()
    path = config(tmp_path, TextDetection={})
    (page,) = check_config(path, images=[image]).pages
    assert (page.texts, page.scores, page.problem) == (("a",), (0.5,), None)
    report = check_config(config(tmp_path, TextDetection={"model_name": "broken"}), images=[image])
    assert report.pages == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise ValueError('no\\nimage')", "problem='ValueError: no image'"),
        ("return [{'angle': 90, 'list': [1, 2]}]", "values={'angle': 90, 'list': 'list of 2'}"),
        ("return [{}, {}]", "values={'results': 2}"),
    ],
)
def test_other_results_and_failures(site: Path, tmp_path: Path, body: str, expected: str) -> None:
    put(site, **{'yield {"rec_texts": ["a"], "rec_scores": [0.5]}': body})
    image = tmp_path / "a.png"
    image.touch()
    report = check_config(config(tmp_path, TextDetection={}), images=[image])
    assert expected in repr(report.pages[0])
    if "problem" in expected:
        with pytest.raises(StageError, match=r"could not read .*a\.png"):
            require_sound(report, 1)
    else:
        require_sound(report, 1)


def test_a_pipeline_that_cannot_be_created(site: Path, tmp_path: Path) -> None:
    put(site, **{"pass\n": "raise RuntimeError('needs additional dependencies')\n"})
    report = check_config(config(tmp_path, TextDetection={}))
    assert report.modules[0].state == "unused"
    assert report.problems[0].name == "missing-extra"
    with pytest.raises(StageError, match="additional dependencies"):
        require_sound(report)


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("raise ModuleNotFoundError('no', name='paddlex')", InputError, "PaddleX is not installed"),
        ("import not_there_at_all", InputError, "cannot be imported: No module named 'not_there"),
        ("raise OSError('no fonts')", InputError, "cannot be imported: OSError: no fonts"),
        ("import os; os.abort()", WorkerError, "signal SIGABRT"),
        ("raise SystemExit(3)", WorkerError, "exit code 3"),
        ("import time; time.sleep(60)", WorkerError, "did not finish within 2 s"),
    ],
)
def test_no_paddlex(
    site: Path, tmp_path: Path, code: str, error: type[Exception], message: str
) -> None:
    (site / "paddlex" / "__init__.py").write_text(code)
    with pytest.raises(error, match=message):
        check_config(config(tmp_path, TextDetection={}), timeout=2)


def test_no_paddleocr(site: Path, tmp_path: Path) -> None:
    (site / "paddleocr.py").write_text("raise ModuleNotFoundError('no', name='paddleocr')")
    path = config(tmp_path, TextDetection={}, TextRecognition={})
    with pytest.raises(InputError, match="PaddleOCR is not installed") as caught:
        check_config(path, wrapper=True)
    assert "--paddlex-python" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1\n", "holds no keys"),
        ("a: 1\n", "has no pipeline_name"),
        ("pipeline_name: OCR\n", "has no SubModules"),
    ],
)
def test_what_is_no_config(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        check_config(tmp_path / "t.yaml")
    with pytest.raises(InputError, match="there is no file"):
        check_config(tmp_path / "none.yaml")


def test_the_command(site: Path, tmp_path: Path) -> None:
    good = config(tmp_path, TextDetection={})
    result = CliRunner().invoke(app, [str(good)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "PaddleX 3.7.2",
        "",
        "module         model  runs on      device  file",
        "TextDetection  onnx   onnxruntime  cpu     inference.onnx",
    ]
    asked = [str(good), "--json"]
    report = CheckReport.model_validate(json.loads(CliRunner().invoke(app, asked).stdout))
    assert report.modules[0].state == "loaded"
    shutil.rmtree(tmp_path / "models")
    bad = config(tmp_path, TextDetection={"model_name": "broken"}, B={"model_name": "broken"})
    result = CliRunner().invoke(app, [str(bad)])
    assert isinstance(result.exception, StageError)
    assert result.exception.message.endswith("(and 1 more)")
    assert "TextDetection  broken  fails            model-name" in result.stdout
    assert result.stderr.splitlines()[0].startswith("error: B: ValueError: Model name mismatch")
    assert result.stderr.splitlines()[1].startswith("hint: ")


def test_an_image_that_was_asked_for_and_not_read(site: Path, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.touch()
    om = {"backend": "om", "device_type": "npu", "device_id": 2}
    path = config(tmp_path, TextDetection={"model_name": "om", "use_hpip": True, "hpi_config": om})
    result = CliRunner().invoke(app, [str(path), "--image", str(image)])
    assert isinstance(result.exception, StageError)
    assert "no image was read: TextDetection has a file for the NPU" in result.exception.message
