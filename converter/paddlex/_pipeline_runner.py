"""Runs a PaddleX pipeline in a process of its own; needs only the standard library and PaddleX.

Started as ``python _pipeline_runner.py REQUEST``, a JSON file that names the config, the images,
the oldest PaddleX that reads the config, and the file for the result. What PaddleX prints goes to
the standard streams; the result is that file only, and it is there only when it is complete.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def main(request_file: str) -> None:
    """Do what the request says."""
    with open(request_file, encoding="utf-8") as file:  # noqa: PTH123
        request = json.load(file)
    # The interpreter put this script's directory first, where a module name may shadow another.
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    result = _run(request)
    temporary = request["result"] + ".part"
    with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(result, file)
    os.replace(temporary, request["result"])  # noqa: PTH105


def _run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        import paddlex
    except ImportError as error:
        # A broken dependency is not the same as no PaddleX: its name says which.
        return {"problem": "missing", "module": error.name or "paddlex", "detail": str(error)}
    version = str(paddlex.__version__)
    try:
        numbers = [int(part) for part in version.split(".")[:2]]
    except ValueError:  # a development version such as "develop"
        numbers = request["oldest"]
    if numbers < request["oldest"]:
        return {"problem": "old", "version": version}
    try:
        started = time.perf_counter()
        pipeline = paddlex.create_pipeline(request["config"])
        built = time.perf_counter()
        pages = [_read(pipeline, image) for image in request["images"]]
    except Exception as error:  # noqa: BLE001 - whatever PaddleX raises is the answer
        return {
            "problem": "failed",
            "version": version,
            "detail": f"{type(error).__name__}: {error}",
        }
    return {"version": version, "build_seconds": built - started, "pages": pages}


def _read(pipeline: Any, image: str) -> dict[str, Any]:
    started = time.perf_counter()
    (page,) = pipeline.predict(image)
    return {
        "texts": [str(text) for text in page["rec_texts"]],
        "scores": [float(score) for score in page["rec_scores"]],
        "seconds": time.perf_counter() - started,
    }


if __name__ == "__main__":
    main(sys.argv[1])
