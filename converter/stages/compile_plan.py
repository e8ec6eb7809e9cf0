"""Everything before atc starts: shapes, the ONNX file it gets, the pre-flight, the command."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from converter.atc.aipp import IMPLIES, image_input, write_aipp
from converter.atc.config_files import check_config_file
from converter.atc.from_options import (
    AIPP_NAME,
    choose_shapes,
    config_files,
    make_command,
    paddlex_warnings,
    staged_name,
)
from converter.atc.model_facts import read_model_facts
from converter.atc.om_check import Asked
from converter.atc.preflight import Plan, preflight
from converter.atc.shapes import Hints, Shape
from converter.atc.soc import soc_warning
from converter.errors import InputError, StageError
from converter.model import onnx_file
from converter.model.artefacts import sha256_of
from converter.model.compile_options import CompileOptions
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.result import CompileFacts, Finding, Message
from converter.model.tensor import TensorSpec
from converter.stages.job import Job
from converter.stages.prepare import Prepared, prepare


@dataclass(frozen=True)
class CompilePlan:
    """A command that is checked, the files it names, and what the OM file has to be."""

    facts: CompileFacts
    prepared: Prepared
    files: Mapping[str, Path]
    asked: Asked
    messages: tuple[Message, ...]


def plan_compilation(job: Job, soc: str) -> CompilePlan:
    """Plan the compilation of ``job.onnx``.

    Raises ``InputError`` for what the user has to change, ``StageError`` where the model cannot be
    made ready.
    """
    assert job.onnx is not None
    options = job.options.compile
    yml = read_inference_yml(job.yml) if job.yml else InferenceYml()
    before = onnx_file.describe_file(job.onnx)
    rename = job.options.rename
    hpi = {rename.get(name, name): hint for name, hint in yml.shape_hints.items()}
    hints = Hints(hpi=hpi, size=yml.input_size, model_name=yml.model_name)
    chosen = choose_shapes(before.inputs, options, hints)
    prepared = prepare(job, chosen.static, value_range=yml.value_range)
    signature = onnx_file.describe_file(prepared.onnx)
    _check_order(signature.inputs, options)
    flags = chosen.flags(signature.inputs, options)
    given = config_files(options)
    model = read_model_facts(prepared.onnx)
    messages: list[Message] = []
    for flag, file in given.items():
        messages += _check_file(flag, file, job.onnx, model.operators)
    aipp_input, note = _add_aipp(job, given, yml, signature.inputs, chosen.static)
    names = {flag: staged_name(flag, file) for flag, file in given.items()}
    files = {names[flag]: file for flag, file in given.items()} | dict(prepared.weights)
    command = make_command(options, soc, flags, names)
    argv = command.argv(model=model, directory=_stage(files, job.work_dir / "atc"))
    findings = _findings(prepared.onnx, options, soc)
    warnings = [*paddlex_warnings(chosen, options), *((text, "") for text in command.advice())]
    warned = soc_warning(soc)
    warnings += [(warned, "")] if warned else []
    messages = [
        *prepared.degraded,
        *_forecast_notes(job.onnx, options),
        *messages,
        *note,
        *(Message(level="warning", text=text, hint=hint) for text, hint in warnings),
        *map(_message, findings),
        *(Message(level="info", text=f"changed for atc: {change}") for change in prepared.changes),
    ]
    facts = CompileFacts(
        soc_version=soc,
        argv=argv,
        input_shape=flags.input_shape,
        shapes_from=dict(chosen.sources),
        changes=prepared.changes,
        changes_max_abs=prepared.max_abs,
        findings=findings,
    )
    opaque = frozenset(
        spec.name for spec in signature.inputs if spec.rank == 4 and "insert_op_conf" in names
    )
    asked = Asked(
        signature.inputs,
        signature.outputs,
        command.flags(),
        aipp_input,
        frozenset() if aipp_input else opaque,
    )
    return CompilePlan(facts, prepared, files, asked, tuple(messages))


def _forecast_notes(onnx: Path, options: CompileOptions) -> list[Message]:
    """What a forecast says of this model, if one is followed."""
    if options.forecast is None:
        return []
    notes = [
        Message(level="info", text=f"{options.forecast.reason}; no chip has run this")
        if options.forecast.acceptable
        else Message(
            level="warning",
            text=f"in atc's precision {options.forecast.reason}",
            hint="run this model from its ONNX file, or compile it for Ascend910B1 to B4",
        )
    ]
    if options.forecast_of and options.forecast_of != sha256_of(onnx):
        text = "the forecast is of another ONNX file than the one compiled here"
        hint = "forecast the file that is compiled, with the same opset and options"
        notes.append(Message(level="warning", text=text, hint=hint))
    return notes


def _check_order(inputs: tuple[TensorSpec, ...], options: CompileOptions) -> None:
    """PaddleX would feed such a model's inputs to each other's places, and say nothing."""
    names = [spec.name for spec in inputs]
    if options.target == "paddlex" and names != sorted(names):
        raise StageError(
            f"PaddleX feeds inputs in alphabetical order, and the model has {', '.join(names)}",
            hint="export it with its inputs in that order, or say --target any if something else "
            "runs it",
        )


def _check_file(flag: str, file: Path, source: Path, operators: Mapping[str, str]) -> list[Message]:
    """Names are those of the user's model; some are gone in the one that atc gets."""
    own = read_model_facts(source).operators
    named = check_config_file(flag, file, {**operators, **own})
    gone = [name for name in named if name not in operators]
    if not gone:
        return []
    text = f"--{flag.replace('_', '-')}: {', '.join(gone)} went into other operators or a constant"
    return [Message(level="warning", text=text, hint="atc does not see them; name what is left")]


def _add_aipp(
    job: Job,
    files: dict[str, Path],
    yml: InferenceYml,
    inputs: tuple[TensorSpec, ...],
    static: Mapping[str, Shape] | None,
) -> tuple[str | None, list[Message]]:
    """Put the AIPP file among ``files``; the input it is for, and what the user has to know."""
    aipp = job.options.compile.aipp
    if aipp is None:
        return None, []
    place, spec = image_input(inputs)
    if aipp not in ("rgb", "bgr"):
        if not Path(aipp).is_file():
            raise InputError(
                f"--aipp {aipp} is neither rgb, nor bgr, nor a file",
                hint="say which channel order you will feed, or name an AIPP file",
            )
        files["insert_op_conf"] = Path(aipp)
        return None, []
    fed = "RGB" if aipp == "rgb" else "BGR"
    text = write_aipp(
        yml.normalisation,
        fed="RGB" if aipp == "rgb" else "BGR",
        wanted=yml.channel_order,
        place=place,
        size=(static[spec.name][2], static[spec.name][3]) if static else None,
    )
    made = job.work_dir / AIPP_NAME
    made.write_text(text, encoding="utf-8")
    files["insert_op_conf"] = made
    return spec.name, [Message(level="warning", text=IMPLIES.format(order=fed))]


def _stage(files: Mapping[str, Path], directory: Path) -> Path:
    """A directory with ``files`` as atc will see them."""
    directory.mkdir(exist_ok=True)
    for name, file in files.items():
        shutil.copyfile(file, directory / name)
    return directory


def _findings(prepared: Path, options: CompileOptions, soc: str) -> tuple[Finding, ...]:
    import onnx

    model = onnx.load_model(str(prepared), load_external_data=False)
    return preflight(
        Plan(model, soc, options.precision, options.cann, profiles=len(options.profiles) > 1)
    )


def _message(finding: Finding) -> Message:
    return Message(
        level="info" if finding.severity == "info" else "warning",
        text=f"pre-flight: {finding}",
        hint=finding.help,
    )
