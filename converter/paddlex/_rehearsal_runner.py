"""Reads images with variants of one OCR pipeline; needs only the standard library and PaddleX.

Started as ``python _rehearsal_runner.py REQUEST``. Each variant changes keys of modules in the
config; the lines found and read are written to the file for the result, when all is done.
"""

from __future__ import annotations

import copy
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
        return {"problem": "missing", "module": error.name or "paddlex", "detail": str(error)}
    version = str(paddlex.__version__)
    variants: list[list[dict[str, Any]]] = []
    try:
        for variant in request["variants"]:
            config = copy.deepcopy(request["config"])
            for change in variant["changes"]:
                module = config
                for key in change["path"]:
                    module = module[key]
                module |= change["set"]
            pipeline = paddlex.create_pipeline(config=config)
            pages: list[dict[str, Any]] = []
            for image in request["images"]:
                with open(request["progress"], "a", encoding="utf-8") as progress:  # noqa: PTH123
                    progress.write(f"{len(variants) * len(request['images']) + len(pages)}\n")
                pages.append(_read(pipeline, image))
            variants.append(pages)
    except Exception as error:  # noqa: BLE001 - whatever PaddleX raises is the answer
        detail = f"{type(error).__name__}: {error}"
        # How many were read says which one was not.
        return {"problem": "failed", "version": version, "detail": detail, "read": len(variants)}
    return {"version": version, "variants": variants}


def _read(pipeline: Any, image: str) -> dict[str, Any]:
    started = time.perf_counter()
    (page,) = pipeline.predict(image)
    seconds = time.perf_counter() - started
    height, width = page["doc_preprocessor_res"]["output_img"].shape[:2]
    polygons, texts = page["rec_polys"], page["rec_texts"]
    if len(polygons) != len(texts):
        raise ValueError(f"{len(polygons)} polygons and {len(texts)} texts")
    return {
        "size": [int(height), int(width)],
        "seconds": seconds,
        "lines": [
            {"polygon": [[float(x), float(y)] for x, y in polygon], "text": str(text)}
            for polygon, text in zip(polygons, texts)  # noqa: B905 - strict came with 3.10
        ],
    }


if __name__ == "__main__":
    main(sys.argv[1])
