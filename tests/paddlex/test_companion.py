from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converter.errors import InputError
from converter.paddlex.companion import CompanionOptions, render_companions, write_companions

ONNX = {"engine": "onnxruntime"}
OM = {
    "use_hpip": True,
    "hpi_config": {"auto_config": False, "backend": "om", "device_type": "npu", "device_id": 3},
}
HPI_CPU = {
    "use_hpip": True,
    "hpi_config": {"auto_config": False, "backend": "onnxruntime", "device_type": "cpu"},
}

#: Stands in for a Python interpreter in shell scripts: notes its arguments and environment.
ECHO = """#!/bin/sh
if [ "$1" = -c ]; then exit 0; fi
printf '%s\\0' "$#" "$@" >> "$LOG"
env > "$LOG.env"
"""

#: Stands in for PaddleX and PaddleOCR in Python scripts.
FAKE = """
import json, os
class Result:
    def save_to_json(self, save_path): note("save", save_path)
def note(*what):
    with open(os.environ["LOG"], "a") as file: file.write(json.dumps(what) + "\\n")
class Pipeline:
    def __init__(self, **kwargs): note("create", kwargs)
    def predict(self, image):
        note("predict", image)
        yield Result()
create_pipeline = PaddleOCR = Pipeline
"""


def config(
    path: Path, top: dict | None = None, det: dict | None = None, rec: dict | None = None,
    pipeline: str = "OCR", model: str = "PP-OCRv5_mobile_det",
) -> Path:  # fmt: skip
    content = {
        "pipeline_name": pipeline,
        **(top or {}),
        "SubModules": {
            "TextDetection": {"model_name": model, "model_dir": "/m/det", **(det or {})},
            "TextRecognition": {
                "model_name": "PP-OCRv5_mobile_rec",
                "model_dir": "/m/rec",
                **(rec or {}),
            },
            "TextLineOrientation": {"model_name": "off", "model_dir": None},
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def run_shell(script: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """Run a script with the stand-in; the arguments of each of its calls."""
    directory = script.parent
    echo, log = directory / "echo", directory / "log"
    echo.write_text(ECHO)
    echo.chmod(0o755)
    log.unlink(missing_ok=True)
    subprocess.run(["bash", "-n", str(script)], check=True)
    variables = {**os.environ, "PYTHON": str(echo), "LOG": str(log), **environment}
    subprocess.run(["bash", str(script), *arguments], check=True, env=variables, cwd=directory)
    words = os.fsdecode(log.read_bytes()).split("\0")[:-1]
    calls = []
    while words:
        count = int(words.pop(0))
        calls.append([words.pop(0) for _ in range(count)])
    return calls


def test_the_command_line_of_paddlex(tmp_path: Path) -> None:
    paths = write_companions(config(tmp_path / "OCR.yaml", ONNX), CompanionOptions())
    assert [path.name for path in paths] == ["OCR.run.py", "OCR.run.sh"]
    for path in paths:
        assert path.stat().st_mode & stat.S_IXUSR
        assert path.read_text().startswith("#!/usr/bin/env ")
    (tmp_path / "OCR.run.sh").chmod(0o755)
    calls = run_shell(tmp_path / "OCR.run.sh", "a b.png", "-c.png", OUT="o ut")
    expected = [
        ["-m", "paddlex", f"--pipeline={tmp_path}/OCR.yaml", f"--input={image}", "--save_path=o ut"]
        for image in ("a b.png", "-c.png")
    ]
    assert calls == expected


def test_the_command_line_of_paddleocr(tmp_path: Path) -> None:
    write_companions(config(tmp_path / "OCR.yaml", det=OM, rec=OM), CompanionOptions(wrapper=True))
    (call,) = run_shell(tmp_path / "OCR.run.sh", "a.png")
    assert call == [
        "-m",
        "paddleocr",
        "ocr",
        "--input=a.png",
        f"--paddlex_config={tmp_path}/OCR.yaml",
        "--text_detection_model_name=PP-OCRv5_mobile_det",
        "--text_recognition_model_name=PP-OCRv5_mobile_rec",
        "--device=npu:3",
        "--save_path=output",
    ]


@pytest.mark.parametrize("wrapper", [False, True])
def test_the_python_script(tmp_path: Path, wrapper: bool) -> None:
    import json

    write_companions(config(tmp_path / "OCR.yaml", ONNX), CompanionOptions(wrapper=wrapper))
    for package in ("paddlex", "paddleocr"):
        (tmp_path / "site" / package).mkdir(parents=True)
        (tmp_path / "site" / package / "__init__.py").write_text(FAKE)
    (tmp_path / "a b.png").touch()
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "site"),
        "LOG": str(tmp_path / "log"),
    }
    subprocess.run(
        [sys.executable, str(tmp_path / "OCR.run.py"), "-o", "out", "a b.png"],
        check=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    create, predict, save = map(json.loads, (tmp_path / "log").read_text().splitlines())
    at = str(tmp_path / "OCR.yaml")
    names = {
        "text_detection_model_name": "PP-OCRv5_mobile_det",
        "text_recognition_model_name": "PP-OCRv5_mobile_rec",
    }
    asked = {"paddlex_config": at, **names, "device": "cpu"} if wrapper else {"pipeline": at}
    assert create == ["create", asked]
    assert predict == ["predict", "a b.png"]
    assert save == ["save", "out"]
    missing = subprocess.run(
        [sys.executable, str(tmp_path / "OCR.run.py"), "none.png"],
        env=environment, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (missing.returncode, missing.stderr) == (1, "error: there is no file none.png\n")


NPU = {
    "FLAGS_npu_storage_format": "0",
    "FLAGS_npu_jit_compile": "0",
    "FLAGS_npu_split_aclnn": "True",
    "FLAGS_npu_scale_aclnn": "True",
}
XPU = {"BKCL_FORCE_SYNC": "1", "BKCL_TIMEOUT": "1800", "XPU_BLACK_LIST": "pad3d,pad3d_grad"}


@pytest.mark.parametrize(("device", "variables"), [("npu:1", NPU), ("xpu:0", XPU)])
def test_native_paddle_gets_its_device_and_variables(
    tmp_path: Path, device: str, variables: dict[str, str]
) -> None:
    write_companions(config(tmp_path / "OCR.yaml"), CompanionOptions(device=device))
    (call,) = run_shell(tmp_path / "OCR.run.sh", "a.png", FLAGS_use_stride_kernel="mine")
    assert f"--device={device}" in call
    lines = (tmp_path / "log.env").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in lines if "=" in line)
    assert {name: seen[name] for name in variables} == variables
    assert seen["FLAGS_use_stride_kernel"] == "mine"
    python = (tmp_path / "OCR.run.py").read_text()
    for name, value in variables.items():
        assert f"os.environ.setdefault({name!r}, {value!r})" in python


def test_cann_is_sourced_where_it_lies(tmp_path: Path) -> None:
    env = tmp_path / "o'ne" / "set_env.sh"
    env.parent.mkdir()
    env.write_text('false\nexport CANN_SEEN="$undefined_variable"yes\n')
    options = CompanionOptions(cann_env_files=(tmp_path / "none.sh", env))
    write_companions(config(tmp_path / "OCR.yaml", det=OM, rec=HPI_CPU), options)
    (call,) = run_shell(
        tmp_path / "OCR.run.sh", "a.png", ASCEND_TOOLKIT_HOME="", ASCEND_HOME_PATH=""
    )
    assert not any(word.startswith("--device") for word in call)
    assert "CANN_SEEN=yes" in (tmp_path / "log.env").read_text().splitlines()


def test_fine_tuning_as_the_guides_have_it(tmp_path: Path) -> None:
    source = config(tmp_path / "OCR.yaml")
    checkout = tmp_path / "check out"
    for name in (
        "paddlex/configs/modules/text_detection/PP-OCRv5_mobile_det.yaml",
        "configs/rec/PP-OCRv5/PP-OCRv5_mobile_rec.yml",
    ):
        (checkout / name).parent.mkdir(parents=True)
        (checkout / name).touch()
    write_companions(source, CompanionOptions(device="npu:0"))
    (call,) = run_shell(
        tmp_path / "OCR.finetune.sh", "PP-OCRv5_mobile_det", "/data set", "Train.epochs_iters=2",
        PADDLEX_DIR=str(checkout), DEVICES="0,1",
    )  # fmt: skip
    assert call == [
        *("main.py", "-c", "paddlex/configs/modules/text_detection/PP-OCRv5_mobile_det.yaml"),
        *("-o", "Global.mode=train", "-o", "Global.dataset_dir=/data set"),
        *("-o", "Global.device=npu:0,1", "-o", "Train.epochs_iters=2"),
    ]
    assert "FLAGS_npu_jit_compile=0" in (tmp_path / "log.env").read_text().splitlines()
    write_companions(source, CompanionOptions(device="xpu:0", wrapper=True))
    (call,) = run_shell(
        tmp_path / "OCR.finetune.sh", "PP-OCRv5_mobile_rec", PADDLEOCR_DIR=str(checkout)
    )
    assert call == [
        *("-m", "paddle.distributed.launch", "--devices", "0,1,2,3", "tools/train.py"),
        *("-c", "configs/rec/PP-OCRv5/PP-OCRv5_mobile_rec.yml"),
        *("-o", "Global.use_gpu=False", "Global.use_xpu=True"),
    ]
    assert "BKCL_FORCE_SYNC=1" in (tmp_path / "log.env").read_text().splitlines()
    unknown = subprocess.run(
        ["bash", str(tmp_path / "OCR.finetune.sh"), "other"], capture_output=True, text=True
    )
    assert unknown.returncode == 2
    assert "error: the config has no model other" in unknown.stderr
    assert "    PP-OCRv5_mobile_det\n" in unknown.stderr


REFUSED = [
    ({"top": ONNX}, CompanionOptions(device="npu:0"), "which PaddleX refuses on npu:0"),
    ({"det": OM, "rec": HPI_CPU}, CompanionOptions(wrapper=True), "modules on cpu and npu:3"),
    ({"det": OM, "rec": OM}, CompanionOptions(device="npu:0"), "would override"),
    ({"pipeline": "ts_forecast"}, CompanionOptions(wrapper=True), "no class for the pipeline"),
    ({}, CompanionOptions(device="tpu"), "'tpu' is not a device"),
]


@pytest.mark.parametrize(("parts", "options", "message"), REFUSED)
def test_what_could_not_run_is_refused(
    tmp_path: Path, parts: dict, options: CompanionOptions, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_companions(config(tmp_path / "OCR.yaml", **parts), options)
    assert [path.name for path in tmp_path.iterdir()] == ["OCR.yaml"]


def test_a_config_that_paddlex_would_not_open(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for the name of a pipeline") as caught:
        render_companions(config(tmp_path / "OCR.conf"), CompanionOptions())
    assert ".yaml" in caught.value.hint


def test_edited_scripts_stay(tmp_path: Path) -> None:
    source = config(tmp_path / "OCR.yaml", ONNX)
    script = write_companions(source, CompanionOptions())[1]
    write_companions(source, CompanionOptions())  # ours: replaced
    edited = script.read_text() + "echo mine\n"
    script.write_text(edited)
    with pytest.raises(InputError, match=r"OCR\.run\.sh has been edited"):
        write_companions(source, CompanionOptions())
    assert script.read_text() == edited
    write_companions(source, CompanionOptions(), force=True)
    assert script.read_text() != edited


_WORDS = st.text(
    st.one_of(
        st.sampled_from(list(" '\"\\$`!*?[]{}()&;|<>#~\n\r\t-=%é中😀")),
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(directory=_WORDS, name=_WORDS, model=_WORDS, image=_WORDS)
def test_any_name_arrives_as_it_is(
    tmp_path: Path, directory: str, name: str, model: str, image: str
) -> None:
    if directory in (".", ".."):
        directory += "x"
    source = config(tmp_path / directory / f"{name}.yaml", model=model)
    options = CompanionOptions(wrapper=True, device="npu:0")
    write_companions(source, options, force=True)
    script = source.with_name(f"{name}.run.sh")
    (call,) = run_shell(script, image)
    read = yaml.safe_load(source.read_text(encoding="utf-8"))["SubModules"]["TextDetection"]
    assert f"--input={image}" in call
    assert f"--paddlex_config={source}" in call
    assert f"--text_detection_model_name={read['model_name']}" in call
    code = render_companions(source, options)[f"{name}.run.py"]
    scope: dict[str, object] = {"__name__": "script", "__file__": str(source.with_name("x.py"))}
    exec(compile(code, "run.py", "exec"), scope)
    assert scope["CONFIG"] == source.resolve()
    finetune = source.with_name(f"{name}.finetune.sh")
    subprocess.run(["bash", "-n", str(finetune)], check=True)


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    source = config(tmp_path / os.fsdecode(b"\xff.yaml"), ONNX)
    write_companions(source, CompanionOptions())
    (call,) = run_shell(source.with_name(os.fsdecode(b"\xff.run.sh")), os.fsdecode(b"\xfe.png"))
    assert f"--pipeline={source}" in call
    assert os.fsdecode(b"--input=\xfe.png") in call
