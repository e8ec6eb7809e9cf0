"""Baselines for CI: written from a run, read back, and compared with a later run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path

from pydantic import ValidationError

from converter.errors import InputError
from converter.model.baseline import (
    BASELINE_VERSION,
    Baseline,
    BaselineChange,
    BaselineReport,
    ModelBaseline,
    OutputBaseline,
    Slack,
)
from converter.model.comparison import OutputComparison, ValidateFacts
from converter.model.files import read_json_text
from converter.model.problems import first_problem
from converter.model.result import ExportFacts, ModelReport, RunReport, SimplifyFacts, Status
from converter.report.atomic import write_text_atomically

#: Digits that an error is kept with: more would change from run to run.
_DIGITS = 2

#: Of a similarity, the distance from 1 is kept with as many.
_SIMILARITIES = ("cosine", "argmax_agreement")
_ERRORS = ("max_abs", "relative_l2")

_RANK = {"worse": 0, "missing": 1, "new": 2, "better": 3}

_HINT = "write it with paddle2om convert ... --baseline FILE --update-baseline"


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file. Raises ``InputError`` when it is none, or of a newer version."""
    if not path.is_file():
        raise InputError(f"there is no baseline {path}", hint=_HINT)
    _, content = read_json_text(path, hint=_HINT)
    if (
        not isinstance(content, dict)
        or content.get("tool") != "paddle2om"
        or "models" not in content
    ):
        raise InputError(f"{path} is not a baseline of paddle2om", hint=_HINT)
    version = content.get("schema_version")
    if isinstance(version, int) and version > BASELINE_VERSION:
        raise InputError(
            f"{path} is of baseline version {version}; this paddle2om reads up to "
            f"{BASELINE_VERSION}",
            hint="upgrade paddle2om",
        )
    try:
        return Baseline.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}", hint=_HINT) from error


def write_baseline(report: RunReport, path: Path) -> None:
    """Write the models of ``report`` as the baseline, sorted; its slack and failed models stay.

    A model that failed keeps the numbers it had. Numbers are rounded, to the worse side, so that a
    second run on the same machine writes the same bytes.
    """
    before = read_baseline(path) if path.exists() else Baseline()
    models = {}
    for model in report.models:
        if model.failure is None:
            models[model.name] = _writable(baseline_of(model))
        elif model.name in before.models:
            models[model.name] = before.models[model.name]
    made = before.model_copy(update={"models": dict(sorted(models.items()))})
    text = json.dumps(made.model_dump(mode="json", exclude_none=True), indent=2, sort_keys=True)
    write_text_atomically(path, text + "\n")


def compare_baseline(report: RunReport, baseline: Baseline, file: Path) -> BaselineReport:
    """What of ``report`` is not as in ``baseline``. A shard answers for its own models only."""
    models = {model.name: model for model in report.models}
    changes: list[BaselineChange] = []
    for name, before in baseline.models.items():
        if name in models:
            changes += _compare(name, before, baseline_of(models[name]), baseline.slack)
        elif report.shard is None or name not in report.shard.models:
            changes.append(
                BaselineChange(
                    model=name, what="model", before=before.status, now=None, verdict="missing"
                )
            )
    for name, model in models.items():
        if name not in baseline.models:
            changes.append(
                BaselineChange(
                    model=name, what="model", before=None, now=str(model.status), verdict="new"
                )
            )
    changes.sort(key=lambda change: (_RANK[change.verdict], change.model))
    compared = len(models.keys() & baseline.models.keys())
    return BaselineReport(file=str(file), compared=compared, changes=tuple(changes))


def baseline_of(model: ModelReport) -> ModelBaseline:
    """The numbers of a model that count."""
    exported, simplified = model.facts("export"), model.facts("simplify")
    nodes = exported.nodes if isinstance(exported, ExportFacts) else None
    if isinstance(simplified, SimplifyFacts):
        nodes = simplified.nodes_after
    # "cached" is how a run came to its result, not the result.
    return ModelBaseline(
        status=str(model.status).replace("cached", "ok"),
        opset=exported.opset if isinstance(exported, ExportFacts) else None,
        nodes=nodes,
        bytes=_onnx_bytes(model),
        outputs=dict(sorted(_outputs(model).items())),
    )


def _writable(model: ModelBaseline) -> ModelBaseline:
    """The same without infinite errors: JSON has none, and nothing could be worse."""
    outputs = {
        name: OutputBaseline(
            **{key: value for key, value in output if value is not None and math.isfinite(value)}
        )
        for name, output in model.outputs.items()
    }
    return model.model_copy(update={"outputs": outputs})


def _onnx_bytes(model: ModelReport) -> int | None:
    sizes = {
        Path(artefact.path).name: artefact.bytes
        for stage in model.stages
        for artefact in stage.artefacts
        if Path(artefact.path).name in ("inference.onnx", "inference.onnx.data")
    }
    return sum(sizes.values()) if sizes else None


def _outputs(model: ModelReport) -> dict[str, OutputBaseline]:
    facts = model.facts("validate")
    if not isinstance(facts, ValidateFacts):
        return {}
    found: dict[str, list[OutputComparison]] = {}
    for case in facts.cases:
        for output in case.outputs:
            found.setdefault(output.name, []).append(output)
    return {name: _worst(outputs) for name, outputs in found.items()}


def _worst(outputs: list[OutputComparison]) -> OutputBaseline:
    """Of each metric the worst; none where nothing was measured (a random output).

    An infinite error counts: that of an output that was zero, and is no more.
    """
    values: dict[str, float] = {}
    for name in (*_ERRORS, *_SIMILARITIES):
        given = [v for output in outputs if (v := getattr(output, name)) is not None]
        numbers = [value for value in given if not math.isnan(value)]
        if numbers:
            similar = name in _SIMILARITIES
            worst = min(numbers) if similar else max(numbers)
            values[name] = 1 - _rounded(1 - worst) if similar else _rounded(worst)
    return OutputBaseline(**values)


def _rounded(value: float) -> float:
    """``value`` with few digits, away from zero."""
    if value == 0 or math.isinf(value):
        return value
    mode = ROUND_CEILING if value > 0 else ROUND_FLOOR
    return float(Decimal(repr(value)).normalize(Context(_DIGITS, mode)))


def _compare(
    model: str, before: ModelBaseline, now: ModelBaseline, slack: Slack
) -> Iterator[BaselineChange]:
    def change(
        what: str,
        old: float | str,
        new: float | str | None,
        limit: float | str | None,
        better: bool,
    ) -> BaselineChange:
        return BaselineChange(
            model=model,
            what=what,
            before=old,
            now=new,
            limit=limit,
            verdict="better" if better else "worse",
        )

    if before.status != now.status:
        yield change("status", before.status, now.status, None, now.status == "ok")
    if Status(now.status).is_failure:
        return
    numbers: Mapping[str, tuple[int | None, int | None, float]] = {
        "opset": (before.opset, now.opset, 0.0),
        "nodes": (before.nodes, now.nodes, float(slack.nodes)),
        "bytes": (before.bytes, now.bytes, max(slack.size * (before.bytes or 0), slack.size_floor)),
    }
    for what, (old, new, allowed) in numbers.items():
        if old is None or old == new:
            continue
        limit = old + allowed
        if new is None or new > limit:
            yield change(what, old, new, limit, better=False)
        elif new < old - allowed:
            yield change(what, old, new, limit, better=True)
    for name, output in before.outputs.items():
        found = now.outputs.get(name)
        for metric in (*_ERRORS, *_SIMILARITIES):
            was = getattr(output, metric)
            if was is None:
                continue
            is_now: float | None = getattr(found, metric) if found else None
            similar = metric in _SIMILARITIES
            limit = (
                was - slack.similarity
                if similar
                else (was * slack.error_factor + slack.error_floor)
            )
            # Written so that a NaN is worse.
            if is_now is None or not (is_now >= limit if similar else is_now <= limit):
                yield change(f"{metric} of {name}", was, is_now, limit, better=False)
            elif _much_better(was, is_now, slack, similar=similar):
                yield change(f"{metric} of {name}", was, is_now, limit, better=True)


def _much_better(was: float, now: float, slack: Slack, *, similar: bool) -> bool:
    """Whether the baseline would be worse by more than the slack if it were the run."""
    if similar:
        return was < now - slack.similarity
    return was > now * slack.error_factor + slack.error_floor


def change_text(change: BaselineChange) -> str:
    """A change in words: ``max_abs of y: 1.2e-05, was 4e-06 (up to 8.9e-06 passes)``."""
    if change.what == "model":
        if change.verdict == "missing":
            return "in the baseline, and not in this run"
        return f"{change.now}; not in the baseline"
    text = f"{change.what}: {_value(change.now)}, was {_value(change.before)}"
    if change.verdict == "worse" and change.limit is not None:
        least = change.what.startswith(("cosine", "argmax"))
        text += f" ({'down' if least else 'up'} to {_value(change.limit)} passes)"
    return text


def _value(value: float | str | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return value
    whole = math.isfinite(value) and value == int(value) and value >= 10
    return f"{value:,.0f}" if whole else f"{value:.8g}"
