"""Moves a task's finished files to their destination, all at the end and only complete ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from converter.model.artefacts import (
    MANIFEST,
    describe_artefact,
    remove_ours,
    sha256_of,
    write_manifest,
)
from converter.model.result import Artefact, Record
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
    if job.task.keep_manifest:
        remove_ours(target, keep=files)
        if passed:
            remove_ours(destination / REJECTED)
            _remove_if_empty(destination / REJECTED)
    manifest = {}
    root = Path(job.task.report_root)
    published = []
    for name, (path, stage) in files.items():
        final = target / name
        # Same file system (the work directory lies in the output directory): a rename, atomic.
        path.replace(final)
        manifest[name] = sha256_of(final)
        published.append(Published(stage=stage, artefact=describe_artefact(final, root)))
    if job.task.keep_manifest:
        write_manifest(target, manifest)
    return tuple(published)


def _remove_if_empty(directory: Path) -> None:
    """Remove a directory that holds nothing but our manifest."""
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= {MANIFEST}:
        shutil.rmtree(directory)
