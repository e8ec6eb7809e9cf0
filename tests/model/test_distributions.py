"""Packages that are installed under another name are found, told and part of the keys."""

from __future__ import annotations

from importlib import metadata

import pytest

from converter.engine.cache.keys import version_of
from converter.engine.doctor.packages import installed_versions
from converter.engine.plan import tool_versions
from converter.model.distributions import distributions_of

REAL = metadata.version


@pytest.fixture
def install(monkeypatch):
    """Returns a function that says which builds of ONNX Runtime there are."""

    def install(**versions: str) -> None:
        there = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name: str) -> str:
            if not name.startswith("onnxruntime"):
                return REAL(name)
            if name not in there:
                raise metadata.PackageNotFoundError(name)
            return there[name]

        monkeypatch.setattr(metadata, "version", version)
        version_of.cache_clear()

    yield install
    version_of.cache_clear()


def test_another_build_is_found_under_its_own_name(install):
    install(onnxruntime_gpu="1.22.0")

    assert distributions_of("onnxruntime") == {"onnxruntime-gpu": "1.22.0"}
    assert tool_versions()["onnxruntime-gpu"] == installed_versions()["onnxruntime-gpu"] == "1.22.0"
    assert "onnxruntime" not in tool_versions()


def test_each_build_is_another_key(install):
    texts = []
    for there in (
        {},
        {"onnxruntime": "1.22.0"},
        {"onnxruntime_gpu": "1.22.0"},
        {"onnxruntime_cann": "1.22.0"},
        {"onnxruntime": "1.22.0", "onnxruntime_cann": "1.22.0"},
    ):
        install(**there)
        texts.append(version_of("onnxruntime"))

    assert texts == [
        "none",
        "1.22.0",
        "onnxruntime-gpu 1.22.0",
        "onnxruntime-cann 1.22.0",
        "1.22.0 and onnxruntime-cann 1.22.0",
    ]
