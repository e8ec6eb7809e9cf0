"""What a config resolves to in an installed PaddleX: per module the engine, the device, the files.

PaddleX itself builds the pipeline, in a child process; see ``_check_runner.py``. What it opened is
compared with what the config says, and known mistakes get a name and a remedy (``check_rules``,
``check_failures``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from converter.errors import InputError, StageError, WorkerError
from converter.model.record import Record
from converter.model.wording import shorten
from converter.paddlex.check_failures import explain_failure
from converter.paddlex.check_rules import problems_of
from converter.paddlex.check_seen import ModuleSeen, Opened, Problem
from converter.paddlex.child import ask
from converter.paddlex.creation import creation
from converter.paddlex.intent import read_config
from converter.paddlex.pipeline import Module, Pipeline

_RUNNER = Path(__file__).with_name("_check_runner.py")

#: Seconds for building the pipeline and reading the images.
DEFAULT_TIMEOUT = 300.0

#: ``loaded``: the file was opened. ``resolved``: up to the file and the device all is decided, but
#: ultra_infer, which would open it, is not installed here. ``off``: a switch of the config says
#: so. ``unused``: switched on, but not created together with the pipeline. ``skipped``: no model.
#: ``download``: PaddleX would download its model. ``failed``: see the module's problems.
State = Literal["loaded", "resolved", "off", "unused", "skipped", "download", "failed"]


class ModuleCheck(Record):
    """One module: its name in the config, what it runs on, the files opened for it."""

    module: str
    model_name: str
    state: State
    engine: str | None = None
    device: str | None = None
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class CheckedPage(Record):
    """What the pipeline made of one image: its text lines, or the kinds of its results."""

    image: str
    seconds: float
    texts: tuple[str, ...] | None = None
    scores: tuple[float, ...] | None = None
    values: dict[str, Any] | None = None
    problem: str | None = None


class CheckReport(Record):
    """A config as one PaddleX sees it. ``warnings`` are PaddleX's own, as it logs them.

    ``ultra_infer`` is ``installed`` or ``missing``; without it OM files cannot be opened.
    """

    config: str
    paddlex: str
    wrapper: str | None
    ultra_infer: Literal["installed", "missing"]
    modules: tuple[ModuleCheck, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    pages: tuple[CheckedPage, ...] = ()

    def problems_of(self, severity: str) -> tuple[Problem, ...]:
        """The problems of that severity, the pipeline's first."""
        found = [*self.problems, *(p for module in self.modules for p in module.problems)]
        return tuple(problem for problem in found if problem.severity == severity)


def check_config(
    config: Path,
    *,
    images: Sequence[Path] = (),
    wrapper: bool = False,
    device: str | None = None,
    python: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> CheckReport:
    """Let PaddleX build the pipeline of ``config`` and say what each module resolves to.

    ``wrapper`` builds it through PaddleOCR, ``device`` is the one to pass where the config gives
    none, ``python`` the interpreter that has PaddleX. ``images`` are run through the pipeline if
    all its modules could be loaded. Raises ``InputError`` for a config that is none or could not
    be run that way, and when PaddleX is missing; ``WorkerError`` when PaddleX dies.
    """
    for path in (config, *images):
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="check the path")
    pipeline = read_config(config)
    created = creation(pipeline, wrapper=wrapper, device=device)
    request = {
        "config": str(config.absolute()),
        "directory": str(Path.cwd()),
        "wrapper": created.wrapper,
        "arguments": created.arguments(),
        "images": [str(image.absolute()) for image in images],
    }
    answer = ask(_RUNNER, request, python=python, timeout=timeout)
    if answer.get("problem") == "missing":
        raise _missing(answer)
    try:
        return _report(config, created.wrapper, pipeline, answer)
    except (ValidationError, KeyError, TypeError) as error:
        raise WorkerError(
            f"the PaddleX process answered with something else: "
            f"{shorten(' '.join(str(error).split()))}",
            hint="PaddleX 3.0 to 3.7 are known to work",
        ) from error


def require_sound(report: CheckReport, images: int = 0) -> None:
    """Raise ``StageError`` unless the config runs as it says and ``images`` images were read."""
    errors = report.problems_of("error")
    if errors:
        first, *more = errors
        raise StageError(
            f"{first.message} (and {len(more)} more)" if more else first.message, hint=first.hint
        )
    for page in report.pages:
        if page.problem:
            raise StageError(
                f"PaddleX {report.paddlex} could not read {page.image}: {page.problem}",
                hint="all modules were loaded; try another image, and validate the models",
            )
    if len(report.pages) != images:
        absent = next((m.module for m in report.modules if m.state == "download"), None)
        if absent is not None:
            raise StageError(
                f"no image was read: {absent} has no model yet",
                hint="render the config with a model for it, or switch the module off",
            )
        closed = next((m.module for m in report.modules if m.state == "resolved"), "a module")
        raise StageError(
            f"no image was read: {closed} has a file for the NPU",
            hint="run this on the NPU's host, or see paddle2om rehearse for the CPU",
        )


def _report(
    config: Path, wrapper: str | None, pipeline: Pipeline, answer: Mapping[str, Any]
) -> CheckReport:
    seen = {path: ModuleSeen.model_validate(facts) for path, facts in answer["modules"].items()}
    version = str(answer["version"])
    modules = []
    for module in pipeline.modules:
        modules.append(_module(module, seen.pop(".".join(module.path), None), version))
    # A pipeline that makes up a module's config has no path in ours.
    modules += [
        ModuleCheck(
            module=name, model_name=str(found.model_name), state=_state(found), **_opened(found)
        )
        for name, found in seen.items()
    ]
    said = [*answer["lacking"], *([answer["detail"]] if answer["problem"] else ())]
    problems = [explain_failure(detail, None, version) for detail in said]
    return CheckReport(
        config=str(config),
        paddlex=version,
        wrapper=f"{wrapper} {answer['wrapper_version'] or ''}".strip() if wrapper else None,
        ultra_infer="missing" if answer["ultra_infer"] == "recorded" else "installed",
        modules=tuple(modules),
        problems=tuple(problems),
        warnings=tuple(answer["warnings"]),
        pages=tuple(CheckedPage.model_validate(page) for page in answer.get("pages", ())),
    )


def _module(module: Module, seen: ModuleSeen | None, version: str) -> ModuleCheck:
    if seen is None:
        state: State = "off" if module.off else "skipped" if module.skipped else "unused"
        return ModuleCheck(module=module.name, model_name=module.model_name, state=state)
    return ModuleCheck(
        module=module.name,
        model_name=module.model_name,
        state=_state(seen),
        problems=problems_of(module, seen, version),
        **_opened(seen),
    )


def _state(seen: ModuleSeen) -> State:
    if seen.problem is not None:
        return "download" if seen.problem["kind"] == "download" else "failed"
    return "loaded" if seen.loaded else "resolved"


def _opened(seen: ModuleSeen) -> dict[str, Any]:
    opened: Opened | None = seen.opened[-1] if seen.opened else None
    if opened is None:
        return {"engine": seen.asked.get("engine")}
    return {"engine": opened.engine, "device": opened.runs_on, "files": opened.files}


def _missing(answer: Mapping[str, Any]) -> InputError:
    module = answer["module"]
    if module == "paddlex":
        return InputError(
            "PaddleX is not installed",
            hint="pip install 'paddle2om[paddlex]', or name an interpreter that has it with "
            "--paddlex-python",
        )
    if module == "paddleocr":
        return InputError(
            "PaddleOCR is not installed",
            hint="name an interpreter that has it with --paddlex-python",
        )
    return InputError(
        f"PaddleX cannot be imported: {answer['detail']}",
        hint="repair that installation, or name another interpreter with --paddlex-python",
    )
