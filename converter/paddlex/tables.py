"""The facts about PaddleX that are data: parts that can be switched off, what runs which model."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any


@functools.cache
def _table(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (Path(__file__).parent / "data" / f"{name}.json").read_text(encoding="utf-8")
    )
    return content


def switches(pipeline: str, part: str) -> tuple[str, ...]:
    """The keys that switch this part of that pipeline off; none where it cannot be."""
    return tuple(_table("pipelines")["switches"].get(pipeline, {}).get(part, ()))


def is_off_without_model(part: str) -> bool:
    """Whether a pipeline does the same work, if less well, without this part."""
    return part in _table("pipelines")["off_without_model"]


def reads_input_shape(pipeline: str, part: str) -> bool:
    """Whether PaddleX looks at ``input_shape`` there; it ignores the key everywhere else."""
    return part in _table("pipelines")["reads_input_shape"].get(pipeline, ())


def why_no_model(module_name: str) -> str | None:
    """Why an entry of this ``module_name`` names no model of PaddleX's; None if it does."""
    reason: str | None = _table("pipelines")["no_model"].get(module_name)
    return reason


def why_never_converted(model_name: str) -> str | None:
    """Why PaddleX can run this model neither from ONNX nor from OM; None if it can."""
    return _reason("never", model_name)


def why_no_om(model_name: str) -> str | None:
    """Why this model cannot be an OM file of one shape; None if nothing is known against it."""
    return _reason("no_om", model_name)


def has_onnxruntime_engine(model_name: str) -> bool:
    """Whether ``engine: onnxruntime`` (PaddleX 3.5 and later) runs this model."""
    patterns = _table("models")["no_onnxruntime_engine"]
    return not any(re.search(pattern, model_name) for pattern in patterns)


def _reason(list_name: str, model_name: str) -> str | None:
    pairs = _table("models")[list_name]
    return next((why for pattern, why in pairs if re.search(pattern, model_name)), None)


def is_om_documented(model_name: str) -> bool:
    """Whether PaddleX's NPU tutorial lists an OM file of this model."""
    return model_name in _table("models")["om_documented"]


def has_data_dependent_outputs(model_name: str) -> bool:
    """Whether the size of an output depends on the values of the input (boxes, table cells)."""
    patterns = _table("models")["data_dependent_outputs"]
    return any(re.search(pattern, model_name) for pattern in patterns)


def is_inference_yml_known(model_name: str, role: str | None) -> bool:
    """Whether all models of this role and name are fed alike, so that the file can be written."""
    pattern = _table("models")["same_inference_yml"].get(role)
    return bool(pattern and re.search(pattern, model_name))


def trap(trap_id: str) -> dict[str, str]:
    """The ``message``, the ``fix`` and how it is ``known``."""
    found: dict[str, str] = _table("traps")["traps"][trap_id]
    return found


def trap_ids() -> tuple[str, ...]:
    """All traps, in the order in which they are reported."""
    return tuple(_table("traps")["traps"])
