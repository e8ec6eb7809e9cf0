"""Builds a pipeline with PaddleX and writes down what each of its modules asks for and opens.

Started as ``python _check_runner.py REQUEST`` in an interpreter that has PaddleX; needs only the
standard library besides. What a module resolves to is not worked out from the config again: it is
taken down where PaddleX hands a file to ONNX Runtime, ultra_infer or Paddle, which holds for every
version of PaddleX. ``_check_watch.py`` beside this file does that.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from typing import Any


def main(request_file: str) -> None:
    """Do what the request says; the answer is there only when it is complete."""
    with open(request_file, encoding="utf-8") as file:  # noqa: PTH123
        request = json.load(file)
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120
    # Other interpreters must leave nothing beside this file.
    sys.dont_write_bytecode, wrote = True, sys.dont_write_bytecode
    watch = importlib.import_module("_check_watch")
    sys.dont_write_bytecode = wrote
    # The interpreter put this script's directory first, where a module name may shadow another.
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    answer = _check(request, watch)
    temporary = request["result"] + ".part"
    with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(answer, file, default=repr)
    os.replace(temporary, request["result"])  # noqa: PTH105


def _check(request: dict[str, Any], watch: Any) -> dict[str, Any]:
    wrapper = request["wrapper"]
    watcher = watch.Watcher()
    watcher.watch_libraries()
    try:
        import paddlex

        paddleocr = importlib.import_module("paddleocr") if wrapper else None
    except ImportError as error:
        # A broken dependency is not the same as no PaddleX: its name says which.
        return {"problem": "missing", "module": error.name or "paddlex", "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - PaddleX does much when it is imported
        return {"problem": "missing", "module": "", "detail": watch.described(error)}
    facts: dict[str, Any] = {
        "version": str(paddlex.__version__),
        "wrapper_version": str(getattr(paddleocr, "__version__", "")) or None,
        "ultra_infer": "recorded" if watcher.recording else "installed",
        "problem": None,
    }
    warnings = _collect_warnings()
    pipeline = None
    started = time.perf_counter()
    try:
        from paddlex.inference import load_pipeline_config

        watcher.watch_pipelines()
        config = watch.marked(load_pipeline_config(request["config"]), request["directory"])
        arguments = request["arguments"]
        if wrapper:
            pipeline = getattr(paddleocr, wrapper)(paddlex_config=config, **arguments)
        else:
            pipeline = paddlex.create_pipeline(config=config, **arguments)
    except Exception as error:  # noqa: BLE001 - whatever PaddleX raises is the answer
        facts |= {"problem": "failed", "detail": watch.described(error)}
    facts["build_seconds"] = time.perf_counter() - started
    if pipeline is not None and request["images"]:
        facts["pages"] = _pages(pipeline, request["images"], watcher, watch)
    return facts | {
        "modules": watcher.modules,
        "lacking": watcher.lacking,
        "warnings": warnings,
    }


def _pages(pipeline: Any, images: list[str], watcher: Any, watch: Any) -> list[dict[str, Any]]:
    """What the pipeline makes of each image; nothing when a module did not load."""
    unloaded = [name for name, module in watcher.modules.items() if not module["loaded"]]
    if unloaded or watcher.lacking:
        return []
    pages = []
    for image in images:
        started = time.perf_counter()
        try:
            results = list(pipeline.predict(image))
            page: dict[str, Any] = watch.summary(results)
        except Exception as error:  # noqa: BLE001
            page = {"problem": watch.described(error)}
        pages.append({"image": image, "seconds": time.perf_counter() - started} | page)
    return pages


def _collect_warnings() -> list[str]:
    """Collect what PaddleX and PaddleOCR log as warnings: silent traps are announced there."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = " ".join(record.getMessage().split())
            if text not in messages:
                messages.append(text)

    for name in ("paddlex", "paddleocr"):
        logging.getLogger(name).addHandler(Collector(logging.WARNING))
    return messages


if __name__ == "__main__":
    main(sys.argv[1])
