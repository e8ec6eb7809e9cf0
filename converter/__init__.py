"""paddle2om: PaddlePaddle models to checked ONNX and Ascend OM files.

The public Python API; everything else may move.

    from converter import convert, export_onnx

    result = export_onnx("PP-OCRv5_mobile_det", "det.onnx", opset=11)
    report = convert(["PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"], "out", soc="Ascend310P3")

Importing this package loads nothing heavy; the names below load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.version import __version__

if TYPE_CHECKING:
    from converter.api import convert, export_onnx, validate
    from converter.engine.convert import ExportResult
    from converter.engine.recipe.load import load_recipe
    from converter.errors import Paddle2omError
    from converter.model.compile_options import CompileOptions
    from converter.model.recipe import Recipe
    from converter.model.result import RunReport

__all__ = [
    "CompileOptions",
    "ExportResult",
    "Paddle2omError",
    "Recipe",
    "RunReport",
    "__version__",
    "convert",
    "export_onnx",
    "load_recipe",
    "validate",
]

_HOME = {
    "convert": "converter.api",
    "export_onnx": "converter.api",
    "validate": "converter.api",
    "ExportResult": "converter.engine.convert",
    "CompileOptions": "converter.model.compile_options",
    "Paddle2omError": "converter.errors",
    "Recipe": "converter.model.recipe",
    "load_recipe": "converter.engine.recipe.load",
    "RunReport": "converter.model.result",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
