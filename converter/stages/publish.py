"""Moves a task's finished files to their destination, all at the end and only complete ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from converter.model.artefacts import describe_artefact, read_manifest, sha256_of, write_manifest
from converter.model.result import Artefact, Record
from converter.stages.job import Job

#: Where the files of a model that failed go: kept for diagnosis, never under the name that
#: PaddleX would load.
REJECTED = "rejected"


class Published(Record):
    """A file in its final place and the stage that made it."""

    stage: str
    artefact: Artefact


def publish(job: Job, *, passed: bool) -> tuple[Published, ...]:
    """Move the job's files into place and record them in the directory's manifest.

    A file of a model that failed goes to ``rejected/`` below the destination; what an earlier
    run had published there stays as it was.
    """
    target = Path(job.task.destination)
    if not passed:
        target = target / REJECTED
    if not job.task.keep_manifest:
        job.files = {n: f for n, f in job.files.items() if passed and n == job.task.onnx_name}
    if not job.files:
        return ()
    target.mkdir(parents=True, exist_ok=True)
    if passed:
        shutil.rmtree(target / REJECTED, ignore_errors=True)
    manifest = read_manifest(target)
    root = Path(job.task.report_root)
    published = []
    for name, (path, stage) in job.files.items():
        final = target / name
        # Same file system (the work directory lies in the output directory): a rename, atomic.
        path.replace(final)
        manifest[name] = sha256_of(final)
        published.append(Published(stage=stage, artefact=describe_artefact(final, root)))
    if job.task.keep_manifest:
        write_manifest(target, manifest)
    return tuple(published)
