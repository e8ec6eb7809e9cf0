"""Turns a legacy ``.pdmodel`` program into the PIR form that paddle2onnx 2.x converts.

Paddle's own translator does the work. It needs the parameters in its global scope and writes them
again next to the translated program, so the result is a complete PIR model in a directory of ours.
"""

from __future__ import annotations

import os
from pathlib import Path

from converter.errors import StageError
from converter.model.paddle_dir import PaddleModel
from converter.model.wording import last_line


def translate_legacy_program(model: PaddleModel, directory: Path) -> tuple[Path, Path]:
    """Write ``translated.json`` and ``translated.pdiparams`` into ``directory``; return both paths.

    Raises ``StageError`` when Paddle cannot load or translate the program.
    """
    import paddle
    from paddle2onnx.convert import load_parameter, save_program

    if model.params is None:
        raise StageError(
            f"{model.program.name} has no parameter file to translate with",
            hint="put the .pdiparams file next to the program",
        )
    stem = directory / "translated"
    executor = paddle.static.Executor(paddle.CPUPlace())
    try:
        with paddle.pir_utils.OldIrGuard():
            program, _, _ = paddle.static.load_inference_model(
                str(model.directory),
                executor,
                model_filename=model.program.name,
                params_filename=os.path.relpath(model.params, model.directory),
            )
        translated = paddle.pir.translate_to_pir(program.desc)
        load_parameter(translated)
        save_program(translated, str(stem))
    except (RuntimeError, ValueError, TypeError, SystemError) as error:
        raise StageError(
            f"Paddle cannot translate {model.program.name} to its new program format: "
            f"{last_line(str(error)) or repr(error)}",
            hint="export the model again with Paddle 3, or check that it loads in Paddle",
        ) from error
    return stem.with_suffix(".json"), stem.with_suffix(".pdiparams")
