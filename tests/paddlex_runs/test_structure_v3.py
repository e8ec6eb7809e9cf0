"""PP-StructureV3 in real PaddleX versions: what each nested module resolves to.

The model directories have the official inference.yml and files that say what they take, and no
weights: where ultra_infer is missing, nothing opens them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paddlex_runs.conftest import Paddle2om, environment
from tests.simulators.om_writer import Model, Tensor, write_om

pytestmark = pytest.mark.slow

BUILDER = Path(__file__).with_name("official_ymls.py")

DETR = (("im_shape", (1, 2)), ("image", (1, 3, 640, 640)), ("scale_factor", (1, 2)))
#: Inputs of the models that are OM files here; the others run from ONNX on the CPU.
OM = {
    "PP-DocLayout_plus-L": (DETR[0], ("image", (1, 3, 800, 800)), DETR[2]),
    "PP-DocBlockLayout": DETR,
    "RT-DETR-L_wired_table_cell_det": DETR,
    "RT-DETR-L_wireless_table_cell_det": DETR,
    "PP-LCNet_x1_0_doc_ori": (("x", (1, 3, 224, 224)),),
    "PP-LCNet_x1_0_table_cls": (("x", (1, 3, 224, 224)),),
    "PP-LCNet_x1_0_textline_ori": (("x", (1, 3, 80, 160)),),
    "PP-OCRv5_server_det": (("x", (1, 3, 1280, 960)),),
    "PP-OCRv5_server_rec": (("x", (1, 3, 48, 640)),),
    "PP-OCRv4_server_seal_det": (("x", (1, 3, 736, 736)),),
}
ONNX = ("UVDoc", "SLANeXt_wired", "SLANet_plus")
#: Prints the site-packages directory with PaddleX, without importing it.
WHERE = "import importlib.metadata as m; print(m.distribution('paddlex').locate_file('.'))"

#: Of the config as PaddleX ships it: off, or created when it is first used.
LATER = {"TableRecognition.TableOrientationClassify"}


@pytest.fixture(scope="module")
def models(real_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from converter.model.artefacts import write_manifest

    out = tmp_path_factory.mktemp("models")
    variables = {**os.environ, "HOME": str(out / "home"), "PADDLE_PDX_CACHE_HOME": str(out / "x"),
                 "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}  # fmt: skip
    characters = real_models["PP-OCRv5_mobile_rec"] / "inference.yml"
    subprocess.run(
        [sys.executable, BUILDER, out / "zoo", characters, *OM, *ONNX],
        check=True, env=variables, capture_output=True, cwd=out,
    )  # fmt: skip
    for name, inputs in OM.items():
        directory = out / "zoo" / name
        tensors = [Tensor(graph_input, shape) for graph_input, shape in inputs]
        (directory / "inference.om").write_bytes(write_om(Model(inputs=tensors)))
        text = ";".join(f"{n}:{','.join(map(str, shape))}" for n, shape in inputs)
        write_manifest(directory, {}, om_input_shape=text)
    for name in ONNX:
        (out / "zoo" / name / "inference.onnx").write_bytes(b"not opened")
    return out / "zoo"


@pytest.mark.parametrize(
    ("name", "version"),
    [("paddlex-3.7.2", "3.7"), ("paddlex-3.0.1", "3.0"), ("paddlex-3.4.3", "3.4")],
)
def test_every_nested_module_gets_its_file_and_device(
    name: str, version: str, models: Path, paddle2om: Paddle2om, tmp_path: Path
) -> None:
    python = environment(name)
    site = subprocess.run(
        [python, "-c", WHERE],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    config = tmp_path / "PP-StructureV3.yaml"
    base = ["--base-dir", Path(site) / "paddlex" / "configs" / "pipelines"]
    options = ["--backend", "auto", "--device", "npu:1", "--paddlex", version]
    options += ["--use", "FormulaRecognition=none", "--use", "ChartRecognition=none"]
    paddle2om("render", "PP-StructureV3", *base, "--models", models, "-o", config, *options)
    asked = ["--paddlex-python", python, "--json"]
    lacks_extra = name != "paddlex-3.0.1"
    result = paddle2om("check", config, *asked, code=int(lacks_extra))
    report = json.loads(result.stdout)
    assert [p["name"] for p in report["problems"]] == ["missing-extra"] * lacks_extra
    modules = {m["module"]: m for m in report["modules"]}
    on = {key: m for key, m in modules.items() if m["state"] not in ("off", "skipped")}
    assert len(on) >= 12
    for key, module in on.items():
        assert module["problems"] == [], key
        if key in LATER:
            assert module["state"] == "unused"
            continue
        model = models / module["model_name"]
        kind = "om" if module["model_name"] in OM else "onnx"
        where = {"om": ("ultra_infer/om", "npu:1"), "onnx": ("ultra_infer/ort", "cpu")}[kind]
        found = (module["state"], module["engine"], module["device"], module["files"])
        assert found == ("resolved", *where, [str(model / f"inference.{kind}")]), key
