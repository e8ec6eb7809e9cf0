"""Decides for each model whether PaddleX should run its OM file or its ONNX file, and says why.

Sources of PaddleX's limits: its OM runtime (ultra-infer, ``om_backend``) takes one static shape,
copies inputs by position in alphabetical order and compares no sizes; its pipelines stretch images
to ``input_shape`` where they read that key, and feed others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from converter.model.compile_options import PrecisionForecast
from converter.model.result import CompileFacts, Placement, StageResult, Wish
from converter.model.roles import Role

#: Models that no OM file of one shape serves, by what they do.
_NO_ONE_SHAPE: Mapping[Role, str] = {
    "doc_unwarping": "PaddleX feeds it the page in its own size, and an OM file has one shape",
}

#: Models known to misbehave as OM files somewhere (PaddleX's tutorial for NPUs).
_KNOWN_TROUBLE: Mapping[str, str] = {
    "PP-OCRv4_mobile_det": "on ARM hosts its OM file is known to hang: place it on ONNX there",
}

#: What a forecast that asks for nothing more does not say.
_NOT_RUN = ", which no chip has shown: compare it there (paddle2om device)"

#: atc's flags that give an OM file more than one shape.
_PROFILES = ("--dynamic_batch_size=", "--dynamic_image_size=", "--dynamic_dims=")


def place(
    stages: Iterable[StageResult],
    *,
    model_name: str | None = None,
    role: Role | None = None,
    wish: Wish = "auto",
    forecast: PrecisionForecast | None = None,
) -> Placement | None:
    """The decision for one model from the results of its stages.

    ``model_name`` and ``role`` are what its ``inference.yml`` says; ``wish`` is the user's, which
    is granted where it can be. None when there is no ONNX model that passed, so nothing to place.
    """
    results = {stage.stage: stage for stage in stages}
    made = results.get("compile") or results.get("import")
    if any(result.status.is_failure for result in results.values() if result is not made):
        return None
    if wish == "onnx":
        return Placement(backend="onnx", reason="asked for", wish=wish)
    missing = _no_om_file(made)
    why_not = (role and _NO_ONE_SHAPE.get(role)) or (None if missing else _unfit(made))
    unfit = why_not is not None
    why_not = why_not or missing
    imprecise = forecast is not None and not forecast.acceptable
    if why_not is None and forecast and imprecise and wish != "om":
        why_not, unfit = f"in atc's precision {forecast.reason}", True
    if why_not is not None:
        granted = wish != "om"
        return Placement(backend="onnx", reason=why_not, wish=wish, granted=granted, unfit=unfit)
    assert made is not None
    assert isinstance(made.facts, CompileFacts)
    cautions = [*_stretched(made.facts, role)]
    if model_name and model_name in _KNOWN_TROUBLE:
        cautions.append(_KNOWN_TROUBLE[model_name])
    if forecast:
        cautions.append(
            f"in atc's precision {forecast.reason}" if imprecise else f"{forecast.reason}{_NOT_RUN}"
        )
    reason = f"atc made an OM file for {made.facts.soc_version} and {made.facts.input_shape}"
    return Placement(backend="om", reason=reason, wish=wish, cautions=tuple(cautions))


def _no_om_file(made: StageResult | None) -> str | None:
    """Why there is no OM file; None when there is one."""
    if made is None:
        return "no OM file was asked for"
    if made.status.is_failure:
        told = made.error.message if made.error else str(made.status)
        return f"atc made no OM file: {told}"
    facts = made.facts
    if isinstance(facts, CompileFacts) and facts.om_bytes is not None:
        return None
    if not isinstance(facts, CompileFacts):
        return "no OM file was asked for"
    why = made.messages[0].text if made.messages else "atc did not run"
    return f"there is no OM file yet: {why}"


def _unfit(made: StageResult | None) -> str | None:
    """Why PaddleX cannot run the OM file that there is; None when nothing is known against it."""
    facts = made.facts if made else None
    if not isinstance(facts, CompileFacts):
        return None
    shapes = _shapes(facts.input_shape)
    several = any(word.startswith(_PROFILES) for word in facts.argv)
    if several or any("~" in text or "-1" in text for text in shapes.values()):
        return "its OM file takes several shapes, of which PaddleX's runtime knows nothing"
    if any(word.startswith("--insert_op_conf=") for word in facts.argv):
        return "its OM file takes images (AIPP), and PaddleX feeds what it has normalised itself"
    if list(shapes) != sorted(shapes):
        return (
            f"its OM file takes {', '.join(shapes)} in this order, and PaddleX's runtime feeds "
            "inputs in that of the alphabet"
        )
    batches = {text.partition(",")[0] for text in shapes.values() if "," in text}
    if batches - {"1"}:
        return (
            f"its OM file takes {facts.input_shape}, and PaddleX may feed fewer than a whole batch"
        )
    return None


def _shapes(input_shape: str) -> dict[str, str]:
    """``"x:1,3,48,320;y:1,2"`` -> ``{"x": "1,3,48,320", "y": "1,2"}``."""
    parts = (part.rpartition(":") for part in input_shape.split(";") if part)
    return {name: dims for name, _, dims in parts}


def _stretched(facts: CompileFacts, role: Role | None) -> list[str]:
    """What PaddleX does to images to make them fit."""
    dims = next(iter(_shapes(facts.input_shape).values()), "").split(",")
    if len(dims) != 4:
        return []
    height, width = dims[2:]
    if role == "text_recognition":
        return [
            f"PaddleX squeezes every text line into {width}x{height}: lines more than "
            f"{int(width) / int(height):.1f} times as long as high lose characters"
        ]
    if role in ("text_detection", "seal_text_detection"):
        return [f"PaddleX stretches every page to {width}x{height}, whatever its own proportions"]
    return []
