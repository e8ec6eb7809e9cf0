"""Put together what a Paddle model directory holds: program, parameters, ``inference.yml``."""

from __future__ import annotations

from converter.errors import InputError
from converter.model.counting import count
from converter.model.files import unreadable
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.legacy import read_legacy
from converter.model.paddle_dir import PaddleModel
from converter.model.pdiparams import ParamHeader, check_parameters, read_headers
from converter.model.pir import read_pir
from converter.model.program import ProgramDescription
from converter.model.result import InspectFacts
from converter.model.separate_params import read_separate_headers, separate_files


def describe(model: PaddleModel) -> InspectFacts:
    """Describe a model and check that its files belong together.

    ``parameter_bytes`` counts the weights alone, ``program_file`` and the like are file names.
    Raises ``InputError`` when a file is damaged, when the program needs weights and there is no
    file of them, and when the file is another model's.
    """
    program = read_program(model)
    headers = read_parameter_headers(model, program)
    yml = read_inference_yml(model.yml) if model.yml else InferenceYml()
    _check_hints(model, program, yml)
    return InspectFacts(
        format=model.format,
        program_file=model.program.name,
        params_file=model.params.name if model.params else None,
        yml_file=model.yml.name if model.yml else None,
        model_name=yml.model_name,
        paddle_version=program.paddle_version,
        inputs=program.inputs,
        outputs=program.outputs,
        parameter_count=len(headers),
        parameter_bytes=sum(header.nbytes for header in headers),
        operators=dict(program.operators),
        shape_hints=dict(yml.shape_hints),
        value_range=yml.value_range,
    )


def _check_hints(model: PaddleModel, program: ProgramDescription, yml: InferenceYml) -> None:
    """The shapes of ``inference.yml`` have to be in order and fit the program's inputs."""
    for spec in program.inputs:
        hint = yml.shape_hints.get(spec.name)
        if hint is None:
            continue
        shapes = (hint.min, hint.opt, hint.max)
        ranks = {len(shape) for shape in shapes}
        fits = ranks == {spec.rank} and all(
            isinstance(dim, str) or dim in (low, best, high)
            for dim, low, best, high in zip(spec.shape, *shapes, strict=True)
        )
        ordered = ranks == {spec.rank} and all(
            low <= best <= high for low, best, high in zip(*shapes, strict=True)
        )
        if not fits or not ordered:
            told = "do not fit that input" if not fits else "are not min <= opt <= max"
            raise InputError(
                f"{model.yml}: the dynamic shapes of {spec} {told}: "
                f"min {list(hint.min)}, opt {list(hint.opt)}, max {list(hint.max)}",
                hint="correct them under Hpi.backend_configs, or remove them",
            )


def read_program(model: PaddleModel) -> ProgramDescription:
    """Describe the model's program, whichever its format. Raises ``InputError`` as they do."""
    return read_pir(model.program) if model.format == "pir" else read_legacy(model.program)


def read_parameter_headers(
    model: PaddleModel, program: ProgramDescription
) -> tuple[ParamHeader, ...]:
    """Return the headers of the model's parameter file, named and checked against ``program``.

    Raises ``InputError`` when weights are missing, damaged or another model's.
    """
    wanted = program.parameters
    if model.params is None:
        if not wanted:
            return ()
        if files := separate_files(model.directory, wanted):
            return read_separate_headers(files, wanted)
        raise _missing_weights(model, program)
    try:
        empty = model.params.stat().st_size == 0
    except OSError as error:
        raise unreadable(model.params, error) from error
    # Paddle writes an empty file, or none, for a program without parameters.
    if empty and not wanted:
        return ()
    headers = read_headers(model.params, expected=len(wanted))
    try:
        return check_parameters(wanted, headers)
    except InputError as error:
        raise InputError(f"{model.params}: {error.message}", hint=error.hint) from error


def _missing_weights(model: PaddleModel, program: ProgramDescription) -> InputError:
    needed = count(len(program.parameters), "parameter")
    message = f"missing weights: {model.program} needs {needed}"
    expected = "__params__" if model.stem == "__model__" else f"{model.stem}.pdiparams"
    return InputError(
        f"{message}, and there is no {expected}",
        hint=f"put {expected} beside the program, with just that name",
    )
