"""The honest check that conversion works here: a small model goes the whole way in a worker."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from converter.engine.convert import run_conversion
from converter.engine.doctor.findings import Check
from converter.errors import Paddle2omError
from converter.model.comparison import ValidateFacts
from converter.model.result import Status
from converter.model.task import ConvertOptions
from converter.resources import template_dir

_TIMEOUT = 180.0


def self_test() -> Check:
    """Convert the built-in model and compare it with Paddle.

    Raises ``KeyboardInterrupt`` after Ctrl-C: that is no finding about this machine.
    """
    clock = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="paddle2om-doctor-") as directory:
            report = run_conversion(
                [template_dir() / "self_test"], Path(directory), ConvertOptions(timeout=_TIMEOUT)
            )
    except (Paddle2omError, OSError) as error:
        hint = error.hint if isinstance(error, Paddle2omError) else "check the temporary directory"
        return _failed(str(error), hint)
    if report.interrupted:
        raise KeyboardInterrupt
    (model,) = report.models
    if model.failure is not None:
        told = model.failure.error
        return _failed(
            f"{model.failure.stage}: {told.message if told else model.failure.status}",
            told.hint if told else "",
        )
    facts = model.facts("validate")
    seconds = f"{time.perf_counter() - clock:.1f} s"
    if not isinstance(facts, ValidateFacts):
        return _failed("nothing was compared with Paddle", "report this")
    found = f"a small model converts in {seconds}, max abs {facts.worst_max_abs:.1e}"
    if model.status is Status.DEGRADED:
        notes = [m.text for s in model.stages if s.status is Status.DEGRADED for m in s.messages]
        return Check(
            area="self-test",
            name="conversion",
            state="warning",
            found=found,
            reason="; ".join(notes),
            fix="mend the packages named above, then run doctor again",
        )
    return Check(area="self-test", name="conversion", found=found)


def _failed(reason: str, hint: str) -> Check:
    return Check(
        area="self-test",
        name="conversion",
        state="problem",
        found="a small model does not convert",
        reason=reason,
        fix=hint or "mend the packages named above, then run doctor again",
    )
