"""Moves a task's finished files to their destination, all at the end and only complete ones."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from converter.model.artefacts import (
    MANIFEST,
    check_replaceable,
    describe_artefact,
    flush,
    manifest_bytes,
    move_into_place,
    read_manifest,
    read_om_input_shape,
    remove_ours,
    remove_temporaries,
    sha256_of,
    write_manifest,
)
from converter.model.files import Signature, signature
from converter.model.record import Record
from converter.model.result import Artefact, CompileFacts, Status
from converter.model.task import Task
from converter.stages.job import Job
from converter.stages.pipeline import stages_named

#: Where the files of a model that failed go: kept for diagnosis, never under the name that
#: PaddleX would load.
REJECTED = "rejected"


class Published(Record):
    """A file in its final place, the stage that made it, and what it was like when it was new."""

    stage: str
    artefact: Artefact
    seen: Signature


def check_free(task: Task) -> None:
    """Refuse to replace files in the destination that are not ours, before anything is made.

    Raises ``InputError``.
    """
    if not task.force:
        names = [name for stage in stages_named(task.stages) for name in stage.occupies(task)]
        check_replaceable(Path(task.destination), names)


def check_target(job: Job) -> None:
    """As ``check_free``, for a job whose stages have ended: where its files go. ``InputError``."""
    if not job.task.force:
        _, passed = _verdict(job)
        if passed:
            check_free(job.task)
        check_replaceable(_target(job, passed=passed), job.files)


def publish(job: Job) -> tuple[Published, ...]:
    """Move the job's files into place and record them in the directory's manifest.

    What an earlier run had put there and this one did not make is removed: an OM file of another
    ONNX model would be worse than none. The files of a model that did not pass go to ``rejected/``
    below the destination, and what an earlier run had published stays as it was. A failed compile
    does not reject the ONNX model, which has passed its own checks by then.
    """
    failed, passed = _verdict(job)
    destination = Path(job.task.destination)
    if failed == "import":  # the bundle has it all, for another try
        return ()
    files = dict(job.files)
    if job.task.only is not None:
        kept = (job.task.only, f"{job.task.only}.data")
        files = {name: made for name, made in files.items() if name in kept}
        if failed:
            return ()
    if not files or job.task.preflight_only:
        return ()
    target = _target(job, passed=passed)
    target.mkdir(parents=True, exist_ok=True)
    remove_temporaries(target, (MANIFEST, *files))
    digests = {name: job.digests.get(path) or sha256_of(path) for name, (path, _) in files.items()}
    earlier = read_manifest(target)
    with_manifest = job.task.only is None
    if with_manifest:
        if not job.task.force:
            check_replaceable(target, files)
        # First, so that a run that is killed in between leaves nothing that a later one refuses.
        both = dict(earlier)
        for name, digest in digests.items():
            both[name] = [*both.get(name, ()), digest]
        shape = read_om_input_shape(target)
        write_manifest(target, both, om_input_shape=shape, flushed=bool(earlier))
    for name, (path, _) in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        move_into_place(path, target / name)
    published = _published(job, target, {name: digests[name] for name in files})
    # The last manifest says that all is there: after a power cut that has to be true.
    # The files in their places first: most file systems write the names with them then.
    for path in (*(target / name for name in files), *{(target / name).parent for name in files}):
        flush(path)
    if with_manifest:
        if not job.task.beside:
            remove_ours(target, keep=files)
            if any(Path(name).parent.name == REJECTED for name in earlier):
                with contextlib.suppress(OSError):  # not empty
                    (target / REJECTED).rmdir()
            earlier = {}
        if passed and (destination / REJECTED / MANIFEST).is_file():
            remove_ours(destination / REJECTED)
            _remove_if_empty(destination / REJECTED)
        ours = earlier | {name: [digest] for name, digest in digests.items()}
        write_manifest(
            target,
            ours,
            om_input_shape=_om_input_shape(job, target, files),
            placement=job.placement if passed else None,
        )
    return published


def published_already(job: Job, digest_of: Callable[[Path], str]) -> tuple[Published, ...] | None:
    """What ``publish`` would return, if all of it is in place already and nothing else is.

    For a job whose files' digests are known; ``digest_of`` gives those of files in place. None when
    there is something to do.
    """
    _, passed = _verdict(job)
    destination = Path(job.task.destination)
    target = _target(job, passed=passed)
    if not job.files:
        return ()
    if passed and (destination / REJECTED).exists():
        return None
    digests = {name: job.digests[path] for name, (path, _) in job.files.items()}
    wanted = manifest_bytes(
        {name: [digest] for name, digest in digests.items()},
        om_input_shape=_om_input_shape(job, target, job.files),
        placement=job.placement if passed else None,
    )
    try:
        if (target / MANIFEST).read_bytes() != wanted:
            return None
        if any(digest_of(target / name) != digest for name, digest in digests.items()):
            return None
        return _published(job, target, digests)
    except OSError:
        return None


def remove_leftovers(job: Job) -> None:
    """Remove what a killed ``publish`` of the same files left half-written. Raises ``OSError``."""
    _, passed = _verdict(job)
    if job.files:
        remove_temporaries(_target(job, passed=passed), (MANIFEST, *job.files))


def _verdict(job: Job) -> tuple[str | None, bool]:
    """The stage that failed, and whether what the job made is worth having all the same."""
    failed = next((r.stage for r in job.results.values() if r.status.is_failure), None)
    exported = job.results.get("export")
    foreseen = exported is not None and exported.status is Status.SKIPPED
    # What locate makes is about a failure: it is what was asked for.
    return failed, failed in (None, "compile", "locate") and not foreseen


def _target(job: Job, *, passed: bool) -> Path:
    destination = Path(job.task.destination)
    return destination if passed else destination / REJECTED


def _published(job: Job, target: Path, digests: Mapping[str, str]) -> tuple[Published, ...]:
    """The job's files with these names and digests, which are in ``target``."""
    root = Path(job.task.report_root)
    return tuple(
        Published(
            stage=job.files[name][1],
            artefact=describe_artefact(target / name, root, digest),
            seen=signature(target / name),
        )
        for name, digest in digests.items()
    )


def _om_input_shape(job: Job, target: Path, files: Collection[str]) -> str | None:
    """The shape of the OM file that is in ``target``, or of the one that its script makes."""
    if job.task.om_name not in files and (target / job.task.om_name).is_file():
        return read_om_input_shape(target)
    compiled = job.results.get("compile") or job.results.get("import")
    facts = compiled.facts if compiled else None
    if not isinstance(facts, CompileFacts):
        return None
    # What PaddleX feeds does not fit it, whatever its shape: no config may be written for it.
    aipp = any(word.startswith("--insert_op_conf=") for word in facts.argv)
    return f"{facts.input_shape} behind AIPP" if aipp else facts.input_shape


def _remove_if_empty(directory: Path) -> None:
    """Remove a directory that holds nothing but our manifest."""
    if {path.name for path in directory.iterdir()} == {MANIFEST}:
        shutil.rmtree(directory)
