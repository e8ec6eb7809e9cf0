"""Says what is wrong with a model of a recipe in the recipe's own words: keys, not flags.

Stages, and the cache that keeps their results, do not know which command they serve, and name the
flags of ``convert``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from converter.model.recipe import Overrides
from converter.model.result import ModelReport, PipelineReport, StageResult

if TYPE_CHECKING:
    from converter.engine.pool import Observer

#: Flags whose key is called otherwise.
_KEY_OF = {
    "shape": "shapes",
    "profile": "profiles",
    "atol": "tolerance.atol",
    "rtol": "tolerance.rtol",
    "tolerance": "tolerances",
}

#: What follows a flag and is a value, not the sentence's next word.
_VALUE = r"[0-9][\w.]*|Ascend\w+|auto|any|origin|bundle:\S+|FILE"

_SHAPE = re.compile(r"--shape ([^\s=]+)=(\w+(?:,\w+)*)")
_FLAG = re.compile(rf"(?<![\w-])--([a-z]+(?:-[a-z]+)*)(?![\w=-])(?: ({_VALUE})(?![\w.]))?")


#: Flags of ``render``: with a name and a value, with a value, and by themselves.
_CHOICE = re.compile(r"--(use|place|dict) ([^\s=]+)=([^\s;,)]+)")
_SETTING = re.compile(r"--(backend|device|paddlex) ([a-z0-9][\w.:]*)")
_BARE = re.compile(r"--(use|place|dict|backend|device|paddlex|base-dir)(?![\w-])")
_PIPELINE_KEY_OF = {"dict": "dictionaries"}


def in_keys(text: str) -> str:
    """``text`` with a recipe's keys for the flags in it; whole commands stay as they are."""
    if "paddle2om " in text:
        return text
    text = text.replace("--no-simplify", "simplify: false")
    text = _SHAPE.sub(lambda m: f"shapes: {{{m[1]}: [{', '.join(m[2].split(','))}]}}", text)
    return _FLAG.sub(_key, text)


def pipeline_in_keys(text: str) -> str:
    """What is wrong with a pipeline, with a recipe's keys for the flags of ``render`` in it."""
    text = _CHOICE.sub(
        lambda m: f"{_PIPELINE_KEY_OF.get(m[1], m[1])}: {{{m[2]}: {m[3]}}}", text
    ).replace("(or =none)", "(or none)")
    text = _SETTING.sub(r"\1: \2", text)
    return _BARE.sub(lambda m: _PIPELINE_KEY_OF.get(m[1], m[1]).replace("-", "_"), text)


def _key(match: re.Match[str]) -> str:
    key = _KEY_OF.get(match[1], match[1].replace("-", "_"))
    if key.split(".")[0] not in Overrides.model_fields:
        return match[0]  # of `build` itself
    return f"{key}: {match[2]}" if match[2] else key


def report_in_keys(report: ModelReport, place: str) -> ModelReport:
    """A model's report in the recipe's words; ``place`` is where the model stands in it."""
    stages = tuple(stage_in_keys(stage, place) for stage in report.stages)
    return report.model_copy(update={"stages": stages})


def rendered_in_keys(report: PipelineReport) -> PipelineReport:
    """What became of a pipeline, in the recipe's words."""
    if report.error is None:
        return report
    told = {name: pipeline_in_keys(getattr(report.error, name)) for name in ("message", "hint")}
    return report.model_copy(update={"error": report.error.model_copy(update=told)})


def stage_in_keys(result: StageResult, place: str) -> StageResult:
    """A stage's result in the recipe's words."""
    changes: dict[str, Any] = {}
    if result.error is not None:
        told, hint = in_keys(result.error.message), in_keys(result.error.hint)
        if (told, hint) != (result.error.message, result.error.hint):
            hint = f"{hint}; the model stands at {place}"
            changes["error"] = result.error.model_copy(update={"message": told, "hint": hint})
    messages = tuple(
        each.model_copy(update={"text": in_keys(each.text), "hint": in_keys(each.hint)})
        for each in result.messages
    )
    if messages != result.messages:
        changes["messages"] = messages
    return result.model_copy(update=changes) if changes else result


class InKeys:
    """Tells ``observer`` the same, in the recipe's words; ``places`` are by the models' names."""

    def __init__(self, observer: Observer, places: dict[str, str]) -> None:
        self._observer = observer
        self._places = places

    def model_started(self, name: str) -> None:
        """As it is."""
        self._observer.model_started(name)

    def stage_started(self, name: str, stage: str) -> None:
        """As it is."""
        self._observer.stage_started(name, stage)

    def stage_detail(self, name: str, stage: str, text: str) -> None:
        """As it is."""
        self._observer.stage_detail(name, stage, text)

    def stage_finished(self, name: str, result: StageResult) -> None:
        """In the recipe's words."""
        self._observer.stage_finished(name, stage_in_keys(result, self._places[name]))

    def model_finished(self, report: ModelReport) -> None:
        """In the recipe's words."""
        self._observer.model_finished(report_in_keys(report, self._places[report.name]))
