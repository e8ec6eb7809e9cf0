"""Stage 5: ONNX -> OM with atc where there is one, else a script that does it elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from converter.atc.command import is_atc_path, render_script
from converter.atc.from_options import MODEL_NAME, check_asked, config_files
from converter.atc.om_check import check_om
from converter.atc.run import find_atc, run_atc
from converter.atc.runners.contract import Runner
from converter.atc.runners.local import LocalRunner
from converter.atc.runners.place import BundlePlace, parse_place
from converter.atc.toolkit import toolkit_digest
from converter.errors import InputError, Paddle2omError, StageError
from converter.model.artefacts import sha256_of
from converter.model.compile_options import CONFIG_FILES
from converter.model.om_file import OmFile, read_om
from converter.model.result import CompileFacts, InspectFacts, Message, Status
from converter.model.task import Task
from converter.stages.atc_files import kept_side_files, log_of, pack
from converter.stages.compile_plan import CompilePlan, plan_compilation
from converter.stages.job import PREPARED_NAME, SCRIPT_NAME, Job
from converter.stages.publish import REJECTED
from converter.stages.stage import Outcome, Stage

#: What to do where there is no atc.
_NO_ATC = (
    f"run {SCRIPT_NAME} on a host with the CANN toolkit; ONNX Runtime runs the model meanwhile"
)


class CompileStage(Stage):
    """Builds the atc command from the ONNX inputs, the shapes asked for and the soc_version."""

    name = "compile"
    reads = ("compile", "rename", "seed")
    tools = ("onnx", "onnxsim", "onnxruntime", "numpy", "pillow", "jinja2")
    rooms = ("stages", "model", "accuracy", "bridge", "atc", "templates/atc.sh.j2")
    feeds = False

    def __init__(self) -> None:
        self._plan: CompilePlan | None = None
        self._om: OmFile | None = None
        self._failed: Paddle2omError | None = None

    def surroundings(self, task: Task) -> dict[str, str] | None:
        """The files that flags name, atc and its toolkit; unknown where atc runs elsewhere."""
        options = task.options.compile
        if options.soc is None:
            return {}
        if not isinstance(parse_place(options.on), LocalRunner):
            return None
        named = [getattr(options, name) for name in CONFIG_FILES]
        named += [options.aipp, *options.flags.values()]
        files = {str(text): Path(text) for text in named if text and Path(text).is_file()}
        found = {f"file {name}": sha256_of(file) for name, file in files.items()}
        atc = find_atc()
        status = atc.resolve().stat() if atc else None
        told = f"{atc} {status.st_size} {status.st_mtime_ns}" if status else "none"
        ours = sorted(name for name in os.environ if name.startswith("ASCEND_"))
        return {
            **found,
            "model name": task.name,
            "atc": told,
            "toolkit": toolkit_digest(atc, os.environ) if atc else "none",
            **{name: os.environ[name] for name in ours},
        }

    def foresee(self, job: Job) -> None:
        """Shapes that do not fit the model, and files that are not there."""
        options, inspected = job.options.compile, job.results.get("inspect")
        if options.soc is None or inspected is None:
            return
        config_files(options)
        assert isinstance(inspected.facts, InspectFacts)
        names = job.options.rename
        inputs = tuple(
            spec.model_copy(update={"name": names.get(spec.name, spec.name)})
            for spec in inspected.facts.inputs
        )
        check_asked(inputs, options)

    def requires(self, job: Job) -> None:
        """There must be an ONNX model, and the files that flags name."""
        assert job.onnx is not None
        if job.options.compile.soc is not None:
            config_files(job.options.compile)

    def run(self, job: Job) -> Outcome:
        """Plan, write the script, and run atc when it is here."""
        soc = job.options.compile.soc
        if soc is None:
            note = Message(
                level="info",
                text="no soc_version asked for",
                hint="add --soc Ascend310P3 (see npu-smi info) for an OM file or its atc script",
            )
            return Outcome(status=Status.SKIPPED, messages=(note,))
        self._plan = plan = plan_compilation(job, soc)
        for message in plan.messages:  # in the log before atc's own words
            sys.stderr.write(f"{message.level}: {message.text}\n")
        return replace(self._compile(job, plan), lasting=plan.prepared.lasting)

    def _compile(self, job: Job, plan: CompilePlan) -> Outcome:
        status = Status.DEGRADED if plan.prepared.degraded else Status.OK
        if job.task.preflight_only:
            return Outcome(facts=plan.facts, status=status, messages=plan.messages)
        on = job.options.compile.on
        facts = plan.facts.model_copy(update={"script": SCRIPT_NAME, "on": on})
        self._add_script(job, plan)
        place = parse_place(on)
        if isinstance(place, BundlePlace):
            packed = pack(job, place, plan)
            return Outcome(facts=facts, status=Status.SKIPPED, messages=(packed, *plan.messages))
        if isinstance(place, LocalRunner) and find_atc() is None:
            note = Message(level="info", text="atc not found", hint=_NO_ATC)
            return Outcome(facts=facts, status=Status.SKIPPED, messages=(note, *plan.messages))
        try:
            self._om = om = _read(self._run_atc(job, plan, place))
        except Paddle2omError as error:
            # Raised by ensures: what the pre-flight had found is what one wants to read now.
            self._failed = error
            return Outcome(facts=facts, messages=plan.messages)
        compiled = facts.model_copy(
            update={
                "om_bytes": om.file_bytes,
                "om_inputs": tuple(map(str, om.inputs)),
                "om_outputs": tuple(map(str, om.outputs)),
            }
        )
        return Outcome(
            facts=compiled, status=status, messages=(*plan.messages, *_dynamic(om, plan))
        )

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """The OM file is the one asked for; where one has to be, a script is not enough."""
        if self._failed is not None:
            raise self._failed
        facts = outcome.facts
        if job.task.preflight_only and isinstance(facts, CompileFacts):
            errors = [finding for finding in facts.findings if finding.severity == "error"]
            if errors:
                raise StageError(f"pre-flight: {errors[0]}", hint=errors[0].help)
        packed = isinstance(parse_place(job.options.compile.on), BundlePlace)
        if job.task.must_compile and outcome.status is Status.SKIPPED and not packed:
            where = Path(job.task.destination) / SCRIPT_NAME
            raise InputError(
                "atc not found",
                hint="source the set_env.sh of the CANN toolkit"
                + (f", or run {where} where it is" if job.task.only is None else ""),
            )
        if self._om is not None and self._plan is not None:
            check_om(self._om, self._plan.asked)
            kept, _ = job.files.pop(f"{REJECTED}/{job.task.om_name}")
            job.add_file(job.task.om_name, kept, self.name)

    def _run_atc(self, job: Job, plan: CompilePlan, runner: Runner) -> Path:
        """The OM file that atc made; it counts as rejected until it has been checked."""
        base = job.work_dir if is_atc_path(job.work_dir) else None
        limit = job.options.compile.timeout or job.options.timeout
        kept = job.work_dir / job.task.om_name
        with tempfile.TemporaryDirectory(prefix="paddle2om-atc-", dir=base) as directory:
            run_directory = Path(directory) / "run"
            with kept_side_files(job, run_directory, (MODEL_NAME, *plan.files), self.name):
                om = run_atc(
                    plan.facts.argv,
                    plan.prepared.onnx,
                    run_directory,
                    timeout=limit,
                    runner=runner,
                    files=plan.files,
                    log=log_of(job),
                )
                shutil.copyfile(om, kept)
        job.add_file(f"{REJECTED}/{job.task.om_name}", kept, self.name)
        return kept

    def _add_script(self, job: Job, plan: CompilePlan) -> None:
        """The script, and beside it what it compiles and what its command names."""
        onnx = job.task.onnx_name
        published = Path(job.task.destination) / onnx
        if plan.prepared.changes or (job.task.beside and published.resolve() != _source(job)):
            onnx = PREPARED_NAME
            prepared = job.work_dir / onnx
            if prepared != plan.prepared.onnx:  # the user's own, which stays where it is
                shutil.copyfile(plan.prepared.onnx, prepared)
            job.add_file(onnx, prepared, self.name)
        script = job.work_dir / SCRIPT_NAME
        text = render_script(
            job.task.name, plan.facts.argv, onnx, job.task.om_name, files=tuple(plan.files)
        )
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
        job.add_file(SCRIPT_NAME, script, self.name)
        for name, file in plan.files.items():
            copy = job.work_dir / name
            if copy != file:
                shutil.copyfile(file, copy)
            job.add_file(name, copy, self.name)


def _source(job: Job) -> Path:
    return Path(job.task.source).resolve()


def _read(path: Path) -> OmFile:
    try:
        return read_om(path)
    except InputError as error:
        raise StageError(f"atc's OM file is unusable: {error.message}", hint=error.hint) from error


def _dynamic(om: OmFile, plan: CompilePlan) -> tuple[Message, ...]:
    """An OM file with shapes that follow from the data is no error to atc, and none to us."""
    open_outputs = [tensor.name for tensor in om.outputs if -1 in tensor.shape]
    if om.profiles is not None or not (open_outputs or om.header.need_check_os_cpu_info):
        return ()
    text = "the OM file has dynamic shapes"
    if open_outputs:
        text += f": output {', '.join(open_outputs)}"
    hint = "PaddleX cannot run it, and it loads only on the kind of host that it was made for"
    return (Message(level="warning", text=text, hint=hint),)
