"""Takes an OM file that came back in a bundle, once it is known to be the one asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

from converter.atc.bundle import LOG, ONNX, read_bundle, returned_om
from converter.atc.om_check import check_om
from converter.errors import InputError, StageError
from converter.model.artefacts import read_om_input_shape, sha256_of
from converter.model.om_file import read_om
from converter.model.result import CompileFacts
from converter.stages.job import Job
from converter.stages.stage import Outcome, Stage


class ImportStage(Stage):
    """Verifies digests, reads the OM file, compares it with what was asked for, and keeps it."""

    name = "import"

    def requires(self, job: Job) -> None:
        """The model that is there already must be the one that the bundle was made from."""
        assert job.task.bundle is not None
        there = Path(job.task.destination) / ONNX
        (entry,) = read_bundle(Path(job.task.bundle))
        if there.is_file() and sha256_of(there) != entry.manifest.source_sha256:
            raise InputError(
                f"{there} is not the model that {entry.directory.name} of the bundle was made from",
                hint="import into another directory with -o, or make the bundle again",
            )
        om, shape = there.with_name(job.task.om_name), read_om_input_shape(there.parent)
        other = shape not in (None, entry.manifest.input_shape)
        if om.is_file() and other and not job.task.force:
            raise InputError(
                f"{om} is compiled for {shape}, the one in the bundle for "
                f"{entry.manifest.input_shape}",
                hint="import into another directory with -o, or replace it with --force",
            )

    def run(self, job: Job) -> Outcome:
        """Check the bundle's files, then the OM file itself."""
        assert job.task.bundle is not None
        (entry,) = read_bundle(Path(job.task.bundle))
        returned = returned_om(entry)
        kept = job.work_dir / job.task.om_name
        shutil.copyfile(returned.om, kept)
        try:
            read = read_om(kept)
        except InputError as error:
            raise StageError(
                f"atc's OM file is unusable: {error.message}", hint=error.hint
            ) from error
        check_om(read, entry.manifest.asked)
        for name, file in returned.weights.items():
            copy = job.work_dir / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            job.add_file(name, copy, self.name)
        job.add_file(job.task.om_name, kept, self.name)
        log = entry.directory / LOG
        if log.is_file():
            copy = job.work_dir / LOG
            shutil.copyfile(log, copy)
            job.add_file(f"atc-files/{LOG}", copy, self.name)
        manifest = entry.manifest
        facts = CompileFacts(
            soc_version=manifest.flags["soc_version"],
            argv=manifest.argv,
            input_shape=manifest.input_shape,
            om_bytes=read.file_bytes,
            om_inputs=tuple(map(str, read.inputs)),
            om_outputs=tuple(map(str, read.outputs)),
            on="bundle",
        )
        return Outcome(facts=facts)
