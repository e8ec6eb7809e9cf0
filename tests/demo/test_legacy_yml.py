from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from converter.demo.catalogue import SOURCES
from converter.demo.legacy_yml import (
    PPOCR_V4_CHARACTERS,
    detection_yml,
    orientation_yml,
    recognition_yml,
)
from converter.errors import InputError
from converter.model.inference_yml import read_inference_yml


@pytest.mark.parametrize(
    ("name", "text", "role"),
    [
        ("PP-OCRv4_mobile_det", detection_yml(), "text_detection"),
        # PaddleX cannot feed it as it was trained, so no pipeline may pick it up.
        ("ch_ppocr_mobile_v2.0_cls", orientation_yml(), None),
    ],
)
def test_fixed_ymls(tmp_path: Path, name: str, text: str, role: str | None) -> None:
    digest = SOURCES[name].generated["inference.yml"].sha256
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    (tmp_path / "inference.yml").write_text(text)
    content = read_inference_yml(tmp_path / "inference.yml")
    assert (content.model_name, content.role) == (name, role)
    assert set(content.shape_hints) == {"x"}


def test_the_dictionary_survives(tmp_path: Path) -> None:
    awkward = ['"', "\\", "'", "#", ":", "-", "~", "0", "y", "　", "{", "%", "é", "\ufeff"]
    characters = awkward + [chr(0x4E00 + n) for n in range(PPOCR_V4_CHARACTERS - len(awkward))]
    text = recognition_yml("\n".join(characters).encode())
    assert yaml.safe_load(text)["PostProcess"]["character_dict"] == characters
    assert recognition_yml(("\n".join(characters) + "\n").encode()) == text


@pytest.mark.parametrize("count", [0, PPOCR_V4_CHARACTERS - 1, PPOCR_V4_CHARACTERS + 1])
def test_a_dictionary_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="characters, the model 6623"):
        recognition_yml("\n".join("x" * count).encode())
