"""What goes to atc and comes from it besides the model: its words, its side files, bundles."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.atc import external_weights
from converter.atc.bundle import add_model
from converter.atc.runners.contract import OM_SUFFIXES
from converter.atc.runners.place import BundlePlace
from converter.model.result import Message
from converter.stages.compile_plan import CompilePlan
from converter.stages.job import YML_NAME, Job

#: Directory, beside the model, of what atc left: ``fusion_result.json``, ``kernel_meta``, its logs.
SIDE_FILES = Path("atc-files")


def log_of(job: Job) -> Callable[[str], None]:
    """A sink for atc's lines: all of them go to the model's log, some to who watches."""

    def log(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        job.tell(line)

    return log


@contextmanager
def kept_side_files(
    job: Job, directory: Path, inputs: Collection[str], stage: str
) -> Iterator[None]:
    """Keeps what atc leaves in ``directory`` besides OM files and ``inputs``, if it failed too."""
    try:
        yield
    except BaseException:
        # A full disk, say: the failure itself is what matters.
        with contextlib.suppress(OSError):
            _keep(job, directory, inputs, stage)
        raise
    _keep(job, directory, inputs, stage)


def _keep(job: Job, directory: Path, inputs: Collection[str], stage: str) -> None:
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        skipped = str(name) in inputs or path.suffix in OM_SUFFIXES or path.is_symlink()
        if skipped or not path.is_file():
            continue
        kept = name if external_weights.is_one(str(name)) else SIDE_FILES / name
        target = job.work_dir / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        job.add_file(str(kept), target, stage)


def pack(job: Job, place: BundlePlace, plan: CompilePlan) -> Message:
    """Put the model into a bundle; what to tell the user. Raises as ``add_model``."""
    assert job.onnx is not None
    add_model(
        place.directory,
        name=job.task.name,
        argv=plan.facts.argv,
        input_shape=plan.facts.input_shape,
        onnx=plan.prepared.onnx,
        source=job.onnx,
        files=plan.files,
        beside={YML_NAME: job.yml} if job.yml else {},
        asked=plan.asked,
    )
    return Message(
        level="info",
        text=f"packed into the bundle {place.directory}",
        hint=f"run {place.directory / 'run.sh'} on a host with CANN, bring the bundle back, then "
        f"paddle2om compile --import {place.directory}",
    )
