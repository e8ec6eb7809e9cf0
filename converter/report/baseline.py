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
    KnownFailure,
    ModelBaseline,
    OutputBaseline,
    Slack,
    Verdict,
)
from converter.model.comparison import OutputComparison, ValidateFacts
from converter.model.files import read_json_text
from converter.model.problems import first_problem
from converter.model.result import ExportFacts, ModelReport, RunReport, SimplifyFacts, Status
from converter.report.atomic import write_text_through

#: Digits that an error is kept with: more would change from run to run.
_DIGITS = 2

#: Of a similarity, the distance from 1 is kept with as many.
_SIMILARITIES = ("cosine", "argmax_agreement")
_ERRORS = ("max_abs", "relative_l2")

_RANK = {"worse": 0, "missing": 1, "new": 2, "changed": 3, "better": 4}

#: Changes that an update tells in words of its own: a model that the run does not have, and one
#: that passes and was known to fail. Those that failed are told so too.
_TOLD_BY_UPDATE = (("model", "missing"), ("failure", "better"))

#: How well a model ended, the best first; all ways to fail are as bad.
_STATUS_RANK: Mapping[str, int] = {Status.OK: 0, Status.DEGRADED: 1}
_FAILED_RANK = 2

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


def update_baseline(
    report: RunReport,
    compared: BaselineReport,
    path: Path,
    *,
    prune: bool = False,
    accept: bool = False,
) -> tuple[BaselineReport, Baseline]:
    """Write the models of ``report`` into the baseline.

    Returns ``compared`` with what became of the rest, and the baseline as it is now.
    Its slack stays, and so does what it has of models that failed or that the run did not have.
    With ``prune`` the latter are dropped, but for those that another shard answers for. With
    ``accept`` those that failed are from then on known to fail so, in place of the numbers that
    they had; one that passed is known to fail no more. Numbers are rounded, to the worse side, so
    that a second run on the same machine writes the same bytes.
    """
    before = read_baseline(path) if path.exists() else Baseline()
    models, failures = dict(before.models), dict(before.failures)
    failed = {m.name: how for m in report.models if (how := failure_of(m)) is not None}
    for model in report.models:
        if model.failure is None and model.status is not Status.INTERRUPTED:
            models[model.name] = _writable(baseline_of(model))
            failures.pop(model.name, None)
    for name in failed if accept else ():
        failures[name] = failed[name]
        models.pop(name, None)
    there = {model.name for model in report.models}
    absent = sorted((before.models.keys() | before.failures.keys()) - there)
    elsewhere = set(report.shard.models) if report.shard else set()
    dropped = tuple(name for name in absent if prune and name not in elsewhere)
    for name in dropped:
        models.pop(name, None)
        failures.pop(name, None)
    made = before.model_copy(
        update={"models": dict(sorted(models.items())), "failures": dict(sorted(failures.items()))}
    )
    text = json.dumps(made.model_dump(mode="json", exclude_none=True), indent=2, sort_keys=True)
    write_text_through(path, text + "\n")
    unlike = [
        name for name in sorted(failed) if not failed[name].is_like(before.failures.get(name))
    ]
    told = compared.model_copy(
        update={
            "updated": True,
            "changes": tuple(
                c
                for c in compared.changes
                if (c.what, c.verdict) not in _TOLD_BY_UPDATE
                and not (c.is_failed_model and c.model in unlike)
            ),
            "kept": tuple(name for name in absent if name not in dropped),
            "dropped": dropped,
            "accepted": tuple(unlike) if accept else (),
            "recovered": tuple(sorted((before.failures.keys() & there) - failures.keys())),
            "left_out": () if accept else tuple(unlike),
        }
    )
    return told, made


def with_known_failures(report: RunReport, baseline: Baseline) -> RunReport:
    """``report`` with the failures marked that are as the baseline says.

    The same stage and exit code: whoever fails in another way, or is not in it, is as bad as
    without a baseline.
    """
    return report.model_copy(
        update={"models": tuple(_marked(m, baseline.failures.get(m.name)) for m in report.models)}
    )


def _marked(model: ModelReport, known: KnownFailure | None) -> ModelReport:
    failed = failure_of(model)
    if failed is None or not failed.is_like(known):
        return model
    stages = tuple(
        stage.model_copy(update={"known_to_fail": True}) if stage is model.failure else stage
        for stage in model.stages
    )
    return model.model_copy(update={"stages": stages})


def failure_of(model: ModelReport) -> KnownFailure | None:
    """How a model failed; None when it did not."""
    failure = model.failure
    if failure is None:
        return None
    told = failure.error.message.splitlines() if failure.error else []
    return KnownFailure(
        stage=failure.stage, exit_code=failure.failure_code, message=told[0] if told else ""
    )


def compare_baseline(report: RunReport, baseline: Baseline, file: Path) -> BaselineReport:
    """What of ``report`` is not as in ``baseline``. A shard answers for its own models only.

    A model that was not finished is not compared, and neither is one that fails as it is known to.
    """
    cut = {model.name for model in report.models if model.status is Status.INTERRUPTED}
    models = {model.name: model for model in report.models if model.name not in cut}
    changes: list[BaselineChange] = []
    compared = 0
    for name in baseline.models.keys() | baseline.failures.keys():
        if name in models:
            before, known = baseline.models.get(name), baseline.failures.get(name)
            failed = failure_of(models[name])
            if known is not None:
                if not known.is_like(failed):
                    changes.append(_unlike(name, known, failed))
            elif before is not None:
                compared += 1
                changes += _compare(name, before, baseline_of(models[name]), baseline.slack)
        elif name in cut:
            continue
        elif report.shard is None or name not in report.shard.models:
            changes.append(
                BaselineChange(
                    model=name,
                    what="model",
                    before=baseline.models[name].status if name in baseline.models else "failed",
                    now=None,
                    verdict="missing",
                )
            )
    for name, model in models.items():
        if name not in baseline.models and name not in baseline.failures:
            changes.append(
                BaselineChange(
                    model=name, what="model", before=None, now=str(model.status), verdict="new"
                )
            )
    changes.sort(key=lambda change: (_RANK[change.verdict], change.model))
    return BaselineReport(file=str(file), compared=compared, changes=tuple(changes))


def _unlike(model: str, known: KnownFailure, failed: KnownFailure | None) -> BaselineChange:
    """A model that does not fail as it is known to: it fails in another way, or not any more."""
    return BaselineChange(
        model=model,
        what="failure",
        before=str(known),
        now=None if failed is None else str(failed),
        verdict="better" if failed is None else "worse",
    )


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
    outputs = {name: _finite(output) for name, output in model.outputs.items()}
    return model.model_copy(update={"outputs": outputs})


def _finite(output: OutputBaseline) -> OutputBaseline:
    """The same without infinite errors."""
    return OutputBaseline(
        **{key: value for key, value in output if value is not None and math.isfinite(value)}
    )


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
        old: float | str | None,
        new: float | str | None,
        verdict: Verdict,
        limit: float | None = None,
    ) -> BaselineChange:
        return BaselineChange(
            model=model, what=what, before=old, now=new, limit=limit, verdict=verdict
        )

    if before.status != now.status:
        was, is_now = (_STATUS_RANK.get(m.status, _FAILED_RANK) for m in (before, now))
        verdict: Verdict = "worse" if is_now > was else "better" if is_now < was else "changed"
        yield change("status", before.status, now.status, verdict)
    if Status(now.status).is_failure:
        return
    numbers: Mapping[str, tuple[int | None, int | None, float]] = {
        "opset": (before.opset, now.opset, 0.0),
        "nodes": (before.nodes, now.nodes, float(slack.nodes)),
        "bytes": (before.bytes, now.bytes, max(slack.size * (before.bytes or 0), slack.size_floor)),
    }
    for what, (old, new, allowed) in numbers.items():
        if old == new:
            continue
        if old is None:
            yield change(what, old, new, "new")
            continue
        limit = old + allowed
        if new is None or new > limit:
            yield change(what, old, new, "worse", limit)
        elif new < old - allowed:
            # A lower opset loads in more places, and may have been meant or not.
            yield change(what, old, new, "changed" if what == "opset" else "better", limit)
    for name in dict.fromkeys((*before.outputs, *now.outputs)):
        had, has = before.outputs.get(name), now.outputs.get(name)
        if has is None:
            yield change(f"output {name}", None, None, "missing")
        elif had is None or had == OutputBaseline() != _finite(has):
            yield change(f"output {name}", None, None, "new")
        else:
            for made in _compare_output(name, had, has, slack):
                yield change(*made)


def _compare_output(
    name: str, before: OutputBaseline, now: OutputBaseline, slack: Slack
) -> Iterator[tuple[str, float | None, float | None, Verdict, float | None]]:
    """Of each change what it is, the value before and now, the verdict and what would pass."""
    for metric in (*_ERRORS, *_SIMILARITIES):
        what = f"{metric} of {name}"
        was: float | None = getattr(before, metric)
        is_now: float | None = getattr(now, metric)
        if was is None:
            # An infinite error is written as none, and is no news.
            if getattr(_finite(now), metric) is not None:
                yield what, was, is_now, "new", None
            continue
        similar = metric in _SIMILARITIES
        limit = (
            was - slack.similarity if similar else (was * slack.error_factor + slack.error_floor)
        )
        # What was measured once and is no more, as a number that is NaN in every case, is worse.
        if is_now is None or not (is_now >= limit if similar else is_now <= limit):
            yield what, was, is_now, "worse", limit
        elif _much_better(was, is_now, slack, similar=similar):
            yield what, was, is_now, "better", limit


def _much_better(was: float, now: float, slack: Slack, *, similar: bool) -> bool:
    """Whether the baseline would be worse by more than the slack if it were the run."""
    if similar:
        return was < now - slack.similarity
    return was > now * slack.error_factor + slack.error_floor
