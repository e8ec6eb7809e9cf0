"""Runs a job's stages in a worker: takes what is in the cache, and keeps what is not."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.engine.cache.entries import Entry, KeptFile
from converter.engine.cache.objects import DAMAGED, MISSING, OTHER_VERSION, BadObject
from converter.engine.cache.printed import end_of_log, of_earlier_run, printed_since
from converter.engine.cache.recall import fetch, find_entry, recalled, register
from converter.engine.cache.sources import source_files
from converter.engine.cache.store import Cache
from converter.engine.origin import named_by
from converter.errors import InputError, InternalError, Paddle2omError
from converter.model.files import signature
from converter.model.result import Message, StageResult
from converter.model.task import CacheUse, Task
from converter.stages.job import Job
from converter.stages.stage import Stage

#: A failed compile is tried again: atc fails for many reasons that lie in its host.
_NEVER_KEPT_FAILED = frozenset({"compile"})

#: What to do about results that cannot be used.
_HINTS = {
    DAMAGED: "paddle2om cache verify looks at all of them; check the disk",
    MISSING: "somebody removed it; paddle2om cache verify finds what else is missing",
    OTHER_VERSION: "another version of paddle2om wrote it",
}

#: Paddle's outputs of one model that are larger (bytes) are not worth their place.
_LARGEST_REFERENCE = 1 << 29


class Steps:
    """A job's stages with a cache behind them; without ``job.task.cache`` they just run.

    ``waited`` is told the seconds that pass while another process computes the same.
    """

    def __init__(self, job: Job, waited: Callable[[float], None] = lambda _: None) -> None:
        self._job = job
        self._waited = waited
        #: Seconds that stages have waited inside for another process, which are no work of theirs.
        self.idle = 0.0
        self._use = job.task.cache
        self._cache = Cache(Path(self._use.root)) if self._use else None
        self._damaged: dict[str, tuple[str, str]] = {}
        #: Whether what stages get now would be the same another time: their keys say that it is.
        self._lasting = True
        if self._use and self._cache:
            self._damaged = dict(self._use.damaged)
            if self._use.reference:
                job.kept_reference = KeptReference(self._cache, self._use.reference, self)

    def kept(self, stage: Stage) -> StageResult | None:
        """The stage's earlier result, with its files in place; None when it has to run."""
        if self._cache is None or not self.unchanged():  # keys are of files that are gone
            return None
        if not self._lasting:
            return None
        try:
            entry = find_entry(self._cache, self._job.task, stage.name)
            if entry is None or entry.foreseen:
                return None
            stage.requires(self._job)
            fetch(self._cache, self._job, entry)
        except BadObject as error:
            self._damaged[stage.name] = (error.what, error.how)
            return None
        except (Paddle2omError, OSError):  # let the stage itself say it
            return None
        if self._use:
            self._cache.touch([self._use.keys[stage.name]])
        result = recalled(entry)
        register(self._job, stage.name, entry)
        self._job.results[stage.name] = result
        try:
            if not result.status.is_failure:  # else nothing comes after it
                stage.restore(self._job)
        except Paddle2omError:  # the model has gone meanwhile: let the stage say it
            self._job.digests.clear()
            return None
        sys.stdout.write(of_earlier_run(stage.name, entry.printed))
        return result

    def run(self, stage: Stage) -> StageResult:
        """Run the stage and keep its result; or take it, when another process made it meanwhile."""
        key = self._use.keys.get(stage.name) if self._use else None
        if self._cache is None or key is None:
            return stage(self._job)
        with self._cache.once("stage", key, self.waiting):
            kept = self.kept(stage)
            if kept is not None:
                return kept
            onnx, idle, log = self._job.onnx, self.idle, end_of_log()
            result = stage(self._job)
            worked = max(0.0, result.seconds - (self.idle - idle))
            result = result.model_copy(update={"seconds": worked})
            if not stage.lasting and stage.feeds and not result.status.is_failure:
                self._lasting = False
            told = self._keep(key, stage, result, onnx, printed_since(log))
        notes = []
        if stage.name in self._damaged:
            what, how = self._damaged[stage.name]
            text = f"{what} {how}; it was made anew"
            notes.append(Message(level="warning", text=text, hint=_HINTS[how]))
        if told:
            hint = "the result is right; the next run makes it again (paddle2om cache info)"
            notes.append(Message(level="warning", text=told, hint=hint))
        return result.model_copy(update={"messages": (*result.messages, *notes)})

    def keep_foreseen(self, result: StageResult) -> None:
        """Keep a failure that was told before its stage's turn came."""
        key = self._use.keys.get(result.stage) if self._use else None
        if self._cache is None or key is None or not self.unchanged():
            return
        entry = Entry(
            stage=result.stage, result=result, source=self._job.task.source, foreseen=True
        )
        try:
            self._cache.entries.write(key, entry)
        except OSError:
            return

    def waiting(self, since: float, seconds: float, holder: str) -> None:
        """Tell that another process computes the same, and for how long it has been waited for."""
        self._job.tell(
            f"waiting for {holder or 'another process'}, which makes it ({seconds:.0f} s)"
        )
        self._waited(since)

    def unchanged(self) -> bool:
        """Whether the model's files are still those that the keys were made of."""
        return self._use is not None and inputs_unchanged(self._job.task, self._use)

    def _keep(
        self, key: str, stage: Stage, result: StageResult, onnx: Path | None, printed: str
    ) -> str:
        """Keep what a stage left on the job and printed; what to say when that did not work."""
        assert self._cache is not None and self._use is not None
        lasting = self._lasting and (stage.lasting or result.status.is_failure)
        if not lasting and not self._use.carries:
            return ""
        if result.status.is_failure and not _may_be_kept(stage, result):
            return ""
        if not (self._use.inputs or result.status.is_failure):
            return ""  # its key is that of every directory without files
        if not result.status.ended:
            return ""
        if not self.unchanged():
            return "not kept in the cache: the model's files, or data, changed meanwhile"
        job = self._job
        try:
            made = []
            for name, (path, by) in job.files.items():
                if by == stage.name:
                    digest = self._cache.objects.put(path)
                    job.digests[path] = digest
                    made.append(
                        KeptFile(
                            name=name,
                            path=str(path.relative_to(job.work_dir)),
                            sha256=digest,
                            bytes=path.stat().st_size,
                            executable=os.access(path, os.X_OK),
                        )
                    )
            moved = job.onnx is not None and job.onnx != onnx
            entry = Entry(
                stage=stage.name,
                result=result,
                files=tuple(made),
                onnx=str(job.onnx.relative_to(job.work_dir)) if moved and job.onnx else None,
                source=job.task.source,
                lasting=lasting,
                printed=printed,
            )
            self._cache.entries.write(key, entry)
        except OSError as error:
            return f"not kept in the cache: {error.strerror or error}"
        return ""


class KeptReference:
    """Paddle's outputs of one model in the cache (``converter.accuracy.kept.Keep``)."""

    def __init__(self, cache: Cache, key: str, steps: Steps) -> None:
        self._cache = cache
        self._key = key
        self._steps = steps

    def load(self) -> bytes | None:
        """The bytes, if they are there and sound, and the model is still the same."""
        if not self._steps.unchanged():
            return None
        try:
            self._cache.touch([self._key])
            digest = self._cache.entries.read_bytes(self._key)
            return self._cache.objects.read(digest.decode()) if digest else None
        except (BadObject, OSError):
            return None

    def save(self, data: bytes) -> None:
        """Keep the bytes, if the model is still the same."""
        if len(data) > _LARGEST_REFERENCE or not self._steps.unchanged():
            return
        try:
            digest = self._cache.objects.put_bytes(data)
            self._cache.entries.write_bytes(self._key, digest.encode())
        except OSError:
            return

    @contextmanager
    def once(self) -> Iterator[None]:
        """Held while they are computed."""
        began = time.perf_counter()
        with self._cache.once("reference", self._key, self._steps.waiting):
            self._steps.idle += time.perf_counter() - began
            yield


def _may_be_kept(stage: Stage, failed: StageResult) -> bool:
    """Whether a failure would be the same another time.

    What is wrong with the user's input is the model's fault in the first stage only; later it is
    an option's, or a file's that an option names.
    """
    code = failed.error.exit_code if failed.error else InternalError.exit_code
    inputs = code == InputError.exit_code and stage.name != "inspect"
    return stage.lasting and stage.name not in _NEVER_KEPT_FAILED and not inputs


def inputs_unchanged(task: Task, use: CacheUse) -> bool:
    """Whether the files that the keys were made of are as they were, and no others are there."""
    files = (*source_files(Path(task.source)), *named_by(task.options))
    try:
        return {str(path): signature(path) for path in files} == use.inputs
    except OSError:
        return False
