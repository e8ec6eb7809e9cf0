"""Which comparison fits a model, told by its ``inference.yml``, and what to make of the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from converter.accuracy.task.classes import compare_classes
from converter.accuracy.task.detections import compare_detections
from converter.accuracy.task.text import compare_text
from converter.accuracy.task.text_map import compare_maps
from converter.errors import GateError
from converter.model.comparison import CaseComparison
from converter.model.inference_yml import InferenceYml
from converter.model.task_agreement import TaskAgreement

Arrays = Mapping[str, npt.NDArray[Any]]

#: PaddleX's own where a file says nothing: of a text pixel, and of a box.
TEXT_THRESHOLD, BOX_THRESHOLD = 0.3, 0.5

#: What helps where tensors agree and users would notice something.
TASK_HINT = "set a tighter --atol, or --min-agreement 1 to make this a failure"

#: Kinds of input with something on them: on noise a class or a text is decided by rounding.
MEANINGFUL = ("text", "given")


def task_agreement(yml: InferenceYml, reference: Arrays, candidate: Arrays) -> TaskAgreement | None:
    """Compare two models' outputs as their users would; None when the model's kind is not known.

    The output of the kind's form is compared; other outputs are ignored. None too where a
    value is NaN: the tensor gate tells that.
    """
    for name, wanted in reference.items():
        made = candidate.get(name)
        if made is None or wanted.dtype.kind != "f" or made.dtype.kind != "f":
            continue
        if np.isnan(wanted).any() or np.isnan(made).any():
            continue
        if found := _compared(yml, wanted, made):
            return found
    return None


def _compared(
    yml: InferenceYml, wanted: npt.NDArray[Any], made: npt.NDArray[Any]
) -> TaskAgreement | None:
    post = yml.postprocess
    kind = post.get("name")
    if kind == "CTCLabelDecode":
        characters = post.get("character_dict")
        known = isinstance(characters, list)
        return compare_text(wanted, made, list(map(str, characters or ()))) if known else None
    if kind == "DBPostProcess":
        threshold = post.get("thresh", TEXT_THRESHOLD)
        return compare_maps(wanted, made, float(threshold))
    if yml.labels:
        threshold = yml.draw_threshold
        least = BOX_THRESHOLD if threshold is None else threshold
        return compare_detections(wanted, made, least, yml.labels)
    top = post.get("Topk")
    if kind in ("ClsPostProcess", "Topk") or isinstance(top, dict):
        labels = (top if isinstance(top, dict) else post).get("label_list")
        return compare_classes(wanted, made, labels if isinstance(labels, list) else ())
    return None


def disagreements(cases: Iterable[CaseComparison]) -> list[str]:
    """What users would notice in cases whose tensors passed, one text per case."""
    return [
        f"tensors agree within tolerance, and {told(case.task)} differ on {case.label}: "
        f"{case.task.detail}"
        for case in cases
        if case.passed and case.task and case.task.agreeing < case.task.items
    ]


def told(task: TaskAgreement) -> str:
    """``1 of 19 texts``: how many items differ."""
    names = {"text": "texts", "class": "classes"}
    count = task.items - task.agreeing
    return f"{count} of {task.items} {names.get(task.kind, task.kind)}"


def gate_task(cases: Iterable[CaseComparison], least: float | None, *, hint: str) -> None:
    """Raise ``GateError`` when a case agrees less than ``least``, or when nothing was compared.

    A share that is computed as NaN, or no items at all in every case, is no agreement.
    """
    if least is None:
        return
    compared = [(case, case.task) for case in cases if case.task]
    if not sum(task.items for _, task in compared):
        raise GateError(
            "no text, class or box was compared, and --min-agreement asks for agreement",
            hint="compare on data with something on it; the kind of model is read from its "
            "inference.yml",
        )
    for case, task in compared:
        if not task.agreement >= least:
            raise GateError(
                f"{told(task)} differ on {case.label} (agreement {task.agreement:.4f}, "
                f"asked for {least:g}): {task.detail}",
                hint=hint,
            )
