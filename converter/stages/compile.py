"""Stage 5: ONNX -> OM with atc where there is one, else a script that does it elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from converter.atc.command import build_argv, is_atc_path, render_script
from converter.atc.run import find_atc, run_atc
from converter.atc.shapes import format_input_shape, static_shapes
from converter.atc.soc import soc_warning
from converter.model.result import CompileFacts, ExportFacts, InspectFacts, Message, Status
from converter.stages.job import OM_NAME, SCRIPT_NAME, Job
from converter.stages.stage import Outcome, Stage


class CompileStage(Stage):
    """Builds the atc command from the ONNX inputs, the shapes asked for and the soc_version."""

    name = "compile"

    def run(self, job: Job) -> Outcome:
        """Write the script; run atc when it is here."""
        soc = job.options.soc
        if soc is None:
            note = Message(
                level="info",
                text="no soc_version asked for",
                hint="add --soc Ascend310P3 (see npu-smi info) for an OM file or its atc script",
            )
            return Outcome(status=Status.SKIPPED, messages=(note,))
        assert job.onnx is not None
        names = job.options.rename
        hints = {
            names.get(name, name): hint
            for name, hint in job.facts(InspectFacts).shape_hints.items()
        }
        shapes = static_shapes(job.facts(ExportFacts).inputs, job.options.shapes, hints)
        input_shape = format_input_shape(shapes)
        argv = build_argv("inference.onnx", "inference", soc, input_shape)
        script = job.work_dir / SCRIPT_NAME
        script.write_text(
            render_script(job.task.name, argv, job.task.onnx_name, OM_NAME), encoding="utf-8"
        )
        script.chmod(0o755)
        job.add_file(SCRIPT_NAME, script, self.name)
        warning = soc_warning(soc)
        notes = (Message(level="warning", text=warning),) if warning else ()
        facts = CompileFacts(
            soc_version=soc, argv=argv, input_shape=input_shape, script=SCRIPT_NAME
        )
        if find_atc() is None:
            note = Message(
                level="info",
                text="atc not found",
                hint=f"run {SCRIPT_NAME} on a host with the CANN toolkit; "
                "ONNX Runtime runs the model meanwhile",
            )
            return Outcome(facts=facts, status=Status.SKIPPED, messages=(note, *notes))
        base = job.work_dir if is_atc_path(job.work_dir) else None
        with tempfile.TemporaryDirectory(prefix="paddle2om-atc-", dir=base) as directory:
            om = run_atc(argv, job.onnx, Path(directory) / "run", timeout=job.options.timeout)
            kept = job.work_dir / OM_NAME
            shutil.copyfile(om, kept)
        job.add_file(OM_NAME, kept, self.name)
        compiled = facts.model_copy(update={"om_bytes": kept.stat().st_size})
        return Outcome(facts=compiled, messages=notes)
