"""Gives tasks their keys, and says what there is of each in the cache and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.entries import Entry
from converter.engine.cache.keys import (
    Key,
    code_digest,
    differences,
    digest_of,
    stage_keys,
    version_of,
)
from converter.engine.cache.objects import BadObject
from converter.engine.cache.recall import find_entry
from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.origin import named_by
from converter.model.build_plan import StageState
from converter.model.files import Signature, signature
from converter.model.task import CacheUse, Task
from converter.stages.pipeline import stages_named
from converter.stages.stage import INPUT_TOOLS


class Keyed:
    """Tasks with their keys; what the keys are made of is kept for the history."""

    def __init__(self, cache: Cache, digests: Digests, *, failures: bool) -> None:
        self._cache = cache
        self._digests = digests
        self._failures = failures
        self._files: dict[str, tuple[Path, ...]] = {}
        self.parts: dict[str, dict[str, dict[str, str]]] = {}

    def all(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks with their keys. The models' files are read where their digests are unknown."""
        for task in tasks:
            if task.source not in self._files:
                self._files[task.source] = source_files(Path(task.source))
        named = {task.name: named_by(task.options) for task in tasks}
        every = (*self._files.values(), *named.values())
        seen = {file: _signature(file) for files in every for file in files}
        self._digests.read_all(seen)
        keyed = [self._one(task, named[task.name], seen) for task in tasks]
        self._digests.save()
        return keyed

    def _one(self, task: Task, named: tuple[Path, ...], seen: dict[Path, Signature | None]) -> Task:
        files = self._files[task.source]
        read = {file.name: _digest(self._digests, file) for file in files}
        inputs = {name: digest for name, digest in read.items() if digest is not None}
        if len(inputs) < len(files):
            inputs = {}  # one cannot be read: the stage will say which
        if not files and _is_empty(task.source):
            inputs = {".": "an empty directory"}  # so that its failure, too, is known the next time
        keys = stage_keys(task, stages_named(task.stages), inputs)
        known = {stage: key for stage, key in keys.items() if key is not None}
        self.parts[task.name] = {stage: dict(key.parts) for stage, key in known.items()}
        if not known:
            return task
        use = CacheUse(
            root=str(self._cache.root),
            keys={stage: key.text for stage, key in known.items()},
            reference=_reference_key(task, inputs).text,
            inputs={
                str(file): found for file in (*files, *named) if (found := seen[file]) is not None
            },
            failures=self._failures,
        )
        return task.model_copy(update={"cache": use})

    def states(self, task: Task) -> tuple[dict[str, StageState], str]:
        """Stage -> ``run``, ``cached``, ``failed`` (and not tried again) or ``not run``; and why.

        ``task`` is one with its keys.
        """
        states: dict[str, StageState] = {}
        why = ""
        found: dict[str, Entry | None] = {}
        for stage in task.stages:
            try:
                found[stage] = find_entry(self._cache, task, stage)
            except BadObject as error:
                found[stage], why = None, why or f"{stage}: {error}"
        first = task.stages[0]
        foreseen = next((s for s, e in found.items() if e and e.foreseen and found[first]), None)
        failed = False
        for stage, entry in found.items():
            if failed or (foreseen is not None and stage not in (first, foreseen)):
                states[stage] = "not run"
            elif entry is None or (entry.foreseen and stage != foreseen):
                states[stage] = "run"
                why = why or f"{stage}: {self.why(task, stage)}"
            elif entry.result.status.is_failure:
                states[stage], failed = "failed", True
                why = why or "failed before, and nothing has changed"
            else:
                states[stage] = "cached"
        return states, why

    def why(self, task: Task, stage: str) -> str:
        """Why the stage's result is not there, as far as the history knows."""
        parts = self.parts.get(task.name, {}).get(stage)
        if parts is None:
            return "its result is not kept"
        if self._left_out(task, stage):
            return "failed before; --retry-failed"
        before = self._cache.history.of(task.source, task.name)
        if before is None or not before.parts:
            return "new"
        old = before.parts.get(stage)
        if old is None:
            return "not finished before"
        changed = differences(old, parts)
        if changed:
            return ", ".join(changed)
        after = [name for name in parts if name.startswith("after ")]
        if any(old.get(name) != parts[name] for name in after):
            return f"{after[0]} is run again" if after else "changed"
        return "not in the cache (any more)"

    def _left_out(self, task: Task, stage: str) -> bool:
        """Whether the cache knows that the stage fails, and that is not to count."""
        if self._failures or task.cache is None:
            return False
        told = task.cache.model_copy(update={"failures": True})
        with suppress(BadObject):
            return (
                find_entry(self._cache, task.model_copy(update={"cache": told}), stage) is not None
            )
        return False


def stages_that_run(states: Mapping[str, StageState]) -> list[str]:
    """Those of a task's stages for which there is nothing in the cache."""
    return [stage for stage, state in states.items() if state == "run"]


def _reference_key(task: Task, inputs: dict[str, str]) -> Key:
    """The key of Paddle's own outputs: of the model and the inputs, whatever is made of it."""
    parts = {"reference": "1", "option seed": str(task.options.seed)}
    parts |= {f"tool {name}": version_of(name) for name in ("paddlepaddle", "numpy", *INPUT_TOOLS)}
    parts |= {f"code {room}": code_digest(room) for room in ("accuracy", "model")}
    parts |= {f"input {name}": digest for name, digest in sorted(inputs.items())}
    return Key(digest_of(parts), parts)


def _is_empty(source: str) -> bool:
    with suppress(OSError):
        return not any(Path(source).iterdir())
    return False


def _signature(path: Path) -> Signature | None:
    with suppress(OSError):
        return signature(path)
    return None


def _digest(digests: Digests, path: Path) -> str | None:
    with suppress(OSError):
        return digests.of(path)
    return None
