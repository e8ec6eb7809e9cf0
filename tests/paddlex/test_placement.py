"""``auto`` follows what ``convert`` decided about a model and wrote beside its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.model.artefacts import write_manifest
from converter.model.result import Placement
from converter.paddlex.modules import ConvertedModel
from converter.paddlex.placement import choose_by_files
from converter.paddlex.targets import parse_device


def converted(directory: Path, backends: set[str]) -> ConvertedModel:
    return ConvertedModel("det", directory, "PP-OCRv5_mobile_det", None, frozenset(backends))


@pytest.mark.parametrize(("placed", "route"), [(None, "om"), ("om", "om"), ("onnx", "onnx")])
def test_the_manifest_decides(tmp_path: Path, placed: str | None, route: str) -> None:
    placement = Placement(backend=placed, reason="atc would refuse it") if placed else None
    write_manifest(tmp_path, {}, placement=placement)

    chosen, reason = choose_by_files(converted(tmp_path, {"om", "onnx"}), parse_device("npu:0"))

    assert chosen == route
    assert reason == ("atc would refuse it" if route == "onnx" else "")


def test_what_is_not_there_is_not_chosen(tmp_path: Path) -> None:
    write_manifest(tmp_path, {}, placement=Placement(backend="om", reason="it fits"))

    assert choose_by_files(converted(tmp_path, {"onnx"}), None)[0] == "onnx"
