"""Lets PaddleX itself decide what random nested configs run with, and compares our rules.

Run by test_inheritance.py in a process of its own, because importing PaddleX takes seconds. Prints
how many configs were compared. No model is loaded: the function that would is replaced.
"""

from __future__ import annotations

import copy
import random
import sys
from typing import Any, ClassVar

import paddlex.inference.models as models
import paddlex.inference.pipelines as pipelines
from paddlex.inference.pipelines.base import BasePipeline

from converter.paddlex.inheritance import effective
from converter.paddlex.pipeline import modules_in
from converter.paddlex.targets import Target

MODEL = "PP-OCRv5_mobile_det"
created: list[dict[str, Any]] = []
choose = random.Random(1)


class Nested(BasePipeline):  # type: ignore[misc]
    """Creates whatever is in its config."""

    entities: ClassVar = ["outer_pipeline", "inner_pipeline"]

    def __init__(self, config: dict[str, Any], **settings: Any) -> None:
        super().__init__(**settings)
        for inner in (config.get("SubPipelines") or {}).values():
            self.create_pipeline(inner)
        for module in (config.get("SubModules") or {}).values():
            self.create_model(module)

    def predict(self) -> None:
        raise NotImplementedError


def settings() -> dict[str, Any]:
    choices = {
        "engine": [None, "onnxruntime", "paddle_static", "hpi", "transformers"],
        "engine_config": [
            None,
            {},
            {"hpi": {"backend": "om"}},
            {"onnxruntime": {"a": 1}, "hpi": {"b": 2}},
            {"x": 1},
        ],
        "use_hpip": [True, False],
        "hpi_config": [
            None,
            {"backend": "om"},
            {"backend": "onnxruntime", "device_type": "cpu"},
            {"device_id": 3},
        ],
    }
    return {key: choose.choice(values) for key, values in choices.items() if choose.random() < 0.4}


def main() -> None:
    models.create_predictor = lambda model_name, **given: created.append(given)
    compared = 0
    for _ in range(2000):
        module = {"model_name": MODEL, **settings()}
        inner = {"pipeline_name": "inner_pipeline", **settings(), "SubModules": {"T": module}}
        config = {"pipeline_name": "outer_pipeline", **settings(), "SubPipelines": {"M": inner}}
        created.clear()
        pipelines.create_pipeline(config=copy.deepcopy(config))
        (given,) = created
        engine = models._resolve_effective_engine(MODEL, given["engine"], given["use_hpip"], None)
        options = models._select_engine_config_source(
            engine=engine,
            engine_config=given["engine_config"],
            pp_option=None,
            hpi_config=given["hpi_config"],
            genai_config=None,
        )
        try:
            theirs = engine, models._maybe_flatten_bucketed_engine_config(engine, options) or {}
        except ValueError:  # a mixture with and without engines' names, which rendering refuses
            continue
        (found,) = modules_in(config)
        ours_engine, ours = effective(found, Target((3, 7))).runtime()
        if (ours_engine, dict(ours)) != theirs:
            sys.exit(f"{config}\nPaddleX: {theirs}\nours: {(ours_engine, ours)}")
        compared += 1
    print(f"compared {compared}")


if __name__ == "__main__":
    main()
