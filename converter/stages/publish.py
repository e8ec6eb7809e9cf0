"""Moves a task's finished files to their destination, all at the end and only complete ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from converter.model.artefacts import (
    MANIFEST,
    check_replaceable,
    describe_artefact,
    move_into_place,
    read_manifest,
    remove_ours,
    sha256_of,
    write_manifest,
)
from converter.model.result import Artefact, CompileFacts, Record
from converter.stages.job import Job

#: Where the files of a model that failed go: kept for diagnosis, never under the name that
#: PaddleX would load.
REJECTED = "rejected"


class Published(Record):
    """A file in its final place and the stage that made it."""

    stage: str
    artefact: Artefact


def publish(job: Job) -> tuple[Published, ...]:
    """Move the job's files into place and record them in the directory's manifest.

    What an earlier run had put there and this one did not make is removed: an OM file of another
    ONNX model would be worse than none. The files of a model that did not pass go to ``rejected/``
    below the destination, and what an earlier run had published stays as it was. A failed compile
    does not reject the ONNX model, which has passed its own checks by then.
    """
    failed = next((r.stage for r in job.results.values() if r.status.is_failure), None)
    passed = failed in (None, "compile")
    destination = Path(job.task.destination)
    files = dict(job.files)
    if not job.task.keep_manifest:
        files = {name: made for name, made in files.items() if name == job.task.onnx_name}
        if failed:
            return ()
    if not files:
        return ()
    target = destination if passed else destination / REJECTED
    target.mkdir(parents=True, exist_ok=True)
    digests = {name: sha256_of(path) for name, (path, _) in files.items()}
    if job.task.keep_manifest:
        if not job.task.force:
            check_replaceable(target, files)
        # First, so that a run that is killed in between leaves nothing that a later one refuses.
        manifest = read_manifest(target)
        for name, digest in digests.items():
            manifest[name] = [*manifest.get(name, ()), digest]
        write_manifest(target, manifest)
    published = []
    root = Path(job.task.report_root)
    for name, (path, stage) in files.items():
        move_into_place(path, target / name)
        published.append(
            Published(stage=stage, artefact=describe_artefact(target / name, root, digests[name]))
        )
    if job.task.keep_manifest:
        remove_ours(target, keep=files)
        if passed and (destination / REJECTED / MANIFEST).is_file():
            remove_ours(destination / REJECTED)
            _remove_if_empty(destination / REJECTED)
        compiled = job.results.get("compile")
        facts = compiled.facts if compiled else None
        write_manifest(
            target,
            {name: [digest] for name, digest in digests.items()},
            om_input_shape=facts.input_shape if isinstance(facts, CompileFacts) else None,
        )
    return tuple(published)


def _remove_if_empty(directory: Path) -> None:
    """Remove a directory that holds nothing but our manifest."""
    if {path.name for path in directory.iterdir()} == {MANIFEST}:
        shutil.rmtree(directory)
