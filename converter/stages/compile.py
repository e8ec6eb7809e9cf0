"""Stage 5: ONNX -> OM with atc where there is one, else a script that does it elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from converter.atc.command import AtcCommand, is_atc_path, render_script
from converter.atc.from_options import (
    MODEL_NAME,
    config_files,
    make_command,
    shape_flags,
    staged_name,
)
from converter.atc.model_facts import read_model_facts
from converter.atc.run import find_atc, run_atc
from converter.atc.runners.local import LocalRunner
from converter.atc.runners.place import BundlePlace, parse_place
from converter.atc.soc import soc_warning
from converter.errors import InputError
from converter.model import onnx_file
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.result import CompileFacts, Message, Status
from converter.stages.atc_files import kept_side_files, log_of, pack
from converter.stages.job import SCRIPT_NAME, Job
from converter.stages.stage import Outcome, Stage

#: What to do where there is no atc.
_NO_ATC = (
    f"run {SCRIPT_NAME} on a host with the CANN toolkit; ONNX Runtime runs the model meanwhile"
)


class CompileStage(Stage):
    """Builds the atc command from the ONNX inputs, the shapes asked for and the soc_version."""

    name = "compile"

    def requires(self, job: Job) -> None:
        """There must be an ONNX model, and the files that flags name."""
        assert job.onnx is not None
        if job.options.compile.soc is not None:
            config_files(job.options.compile)

    def run(self, job: Job) -> Outcome:
        """Write the script; run atc when it is here."""
        if job.options.compile.soc is None:
            note = Message(
                level="info",
                text="no soc_version asked for",
                hint="add --soc Ascend310P3 (see npu-smi info) for an OM file or its atc script",
            )
            return Outcome(status=Status.SKIPPED, messages=(note,))
        assert job.onnx is not None
        command, files = _command(job, job.onnx)
        argv = command.argv(
            model=read_model_facts(job.onnx), directory=_stage(files, job.work_dir / "atc")
        )
        self._add_script(job, argv, files)
        notes = _notes(command)
        assert command.shapes is not None
        facts = CompileFacts(
            soc_version=command.soc_version,
            argv=argv,
            input_shape=command.shapes.input_shape,
            script=SCRIPT_NAME,
            on=job.options.compile.on,
        )
        place = parse_place(job.options.compile.on)
        if isinstance(place, BundlePlace):
            packed = pack(job, place, job.onnx, facts, files)
            return Outcome(facts=facts, status=Status.SKIPPED, messages=(packed, *notes))
        if isinstance(place, LocalRunner) and find_atc() is None:
            note = Message(level="info", text="atc not found", hint=_NO_ATC)
            return Outcome(facts=facts, status=Status.SKIPPED, messages=(note, *notes))
        base = job.work_dir if is_atc_path(job.work_dir) else None
        with tempfile.TemporaryDirectory(prefix="paddle2om-atc-", dir=base) as directory:
            limit = job.options.compile.timeout or job.options.timeout
            run_directory = Path(directory) / "run"
            with kept_side_files(job, run_directory, (MODEL_NAME, *files), self.name):
                om = run_atc(
                    argv,
                    job.onnx,
                    run_directory,
                    timeout=limit,
                    runner=place,
                    files=files,
                    log=log_of(job),
                )
                kept = job.work_dir / job.task.om_name
                shutil.copyfile(om, kept)
        job.add_file(job.task.om_name, kept, self.name)
        compiled = facts.model_copy(update={"om_bytes": kept.stat().st_size})
        return Outcome(facts=compiled, messages=notes)

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """Where an OM file was asked for by name, a script is not enough."""
        packed = isinstance(parse_place(job.options.compile.on), BundlePlace)
        if job.task.must_compile and outcome.status is Status.SKIPPED and not packed:
            where = Path(job.task.destination) / SCRIPT_NAME
            raise InputError(
                "atc not found",
                hint="source the set_env.sh of the CANN toolkit"
                + (f", or run {where} where it is" if job.task.only is None else ""),
            )

    def _add_script(self, job: Job, argv: tuple[str, ...], files: dict[str, Path]) -> None:
        script = job.work_dir / SCRIPT_NAME
        text = render_script(
            job.task.name, argv, job.task.onnx_name, job.task.om_name, files=tuple(files)
        )
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
        job.add_file(SCRIPT_NAME, script, self.name)
        for name, file in files.items():
            copy = job.work_dir / name
            shutil.copyfile(file, copy)
            job.add_file(name, copy, self.name)


def _command(job: Job, onnx: Path) -> tuple[AtcCommand, dict[str, Path]]:
    """The command, and the files it names by the names that they get beside the model."""
    options = job.options.compile
    assert options.soc is not None
    yml = read_inference_yml(job.yml) if job.yml else InferenceYml()
    inputs = onnx_file.describe_file(onnx).inputs
    shapes = shape_flags(inputs, options, dict(yml.shape_hints))
    given = config_files(options)
    names = {flag: staged_name(flag, file) for flag, file in given.items()}
    command = make_command(options, options.soc, shapes, names)
    return command, {names[flag]: file for flag, file in given.items()}


def _stage(files: dict[str, Path], directory: Path) -> Path:
    """A directory with ``files`` as atc will see them."""
    directory.mkdir(exist_ok=True)
    for name, file in files.items():
        shutil.copyfile(file, directory / name)
    return directory


def _notes(command: AtcCommand) -> tuple[Message, ...]:
    warning = soc_warning(command.soc_version)
    texts = (*((warning,) if warning else ()), *command.advice())
    return tuple(Message(level="warning", text=text) for text in texts)
