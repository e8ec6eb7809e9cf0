"""Under which names the packages that we import are installed: some come in several builds.

A build for another device is a distribution of its own (``onnxruntime-gpu``) with the same module.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

#: Distribution -> others that provide the same module; each overwrites files of the others.
RIVALS: Mapping[str, tuple[str, ...]] = {
    "paddlepaddle": ("paddlepaddle-gpu", "paddlepaddle-xpu", "paddlepaddle-dcu"),
    "onnxruntime": (
        "onnxruntime-gpu",
        "onnxruntime-cann",
        "onnxruntime-openvino",
        "onnxruntime-rocm",
        "onnxruntime-migraphx",
        "onnxruntime-directml",
        "onnxruntime-training",
        "onnxruntime-training-cpu",
    ),
    "onnx": ("onnx-weekly",),
    "onnxsim": ("onnxsim-prebuilt",),
    "pillow": ("pillow-simd",),
    "opencv-python": (
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
}


def distributions_of(package: str) -> dict[str, str]:
    """Distribution -> version of all that are installed and provide the module of ``package``.

    One, unless they overwrite each other; none where it is not installed. Nothing is imported.
    """
    found = {}
    for name in (package, *RIVALS.get(package, ())):
        try:
            version = metadata.version(name)
        except (metadata.PackageNotFoundError, OSError, KeyError):
            continue
        if version:
            found[name] = version
    return found
