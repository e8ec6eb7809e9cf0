"""Which converted model fits which module of a PaddleX pipeline, read from its inference.yml."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from converter.errors import InputError
from converter.model.artefacts import read_om_input_shape
from converter.model.inference_yml import read_inference_yml
from converter.model.om_header import OM_MAGIC
from converter.model.roles import Role

Backend = Literal["onnx", "om", "paddle"]

#: The value of a choice that switches an optional module off.
NO_MODEL = "none"

#: The files PaddleX loads per backend: any one of the alternatives, each a set of files.
_FILES: dict[Backend, tuple[tuple[str, ...], ...]] = {
    "onnx": (("inference.onnx",),),
    "om": (("inference.om",),),
    "paddle": (
        ("inference.json", "inference.pdiparams"),
        ("inference.pdmodel", "inference.pdiparams"),
    ),
}

#: PaddleX file names are fixed; these tell a model directory from any other directory.
_MODEL_FILES = frozenset(
    name for alternatives in _FILES.values() for files in alternatives for name in files
) | {"inference.yml"}


@dataclass(frozen=True)
class Module:
    """A place in a pipeline that one model of that role fills.

    ``static_shape`` is False for a module whose input is as large as the page: it cannot be an
    OM file, which has one shape, and runs from ONNX on the CPU beside the others.
    """

    name: str
    role: Role
    required: bool
    static_shape: bool = True

    def backend(self, pipeline: Backend) -> Backend:
        """The backend this module has in a pipeline of that backend."""
        return "onnx" if pipeline == "om" and not self.static_shape else pipeline


@dataclass(frozen=True)
class ConvertedModel:
    """A model directory. ``role`` is what it does, None with the ``problem`` if nobody knows.

    ``image_shape`` is the input (channels, height, width) that the inference.yml names;
    ``om_input_shape`` is what the OM file was compiled for, as atc's ``--input_shape`` has it.
    """

    name: str
    directory: Path
    model_name: str
    role: Role | None
    backends: frozenset[Backend]
    image_shape: tuple[int, int, int] | None = None
    problem: str = ""
    om_input_shape: str | None = None


def scan_models(directory: Path) -> tuple[ConvertedModel, ...]:
    """Read ``directory``, if it is a model directory itself, or the model directories in it.

    A directory that PaddleX could not load is listed with its ``problem``, so that an error about
    a missing module can say why a model that looks right was passed over.
    """
    if not directory.is_dir():
        raise InputError(
            f"{directory} is not a directory", hint="give the output directory of paddle2om convert"
        )
    if _is_model(directory):
        return (_read_model(directory),)
    found = tuple(_read_model(path) for path in _visible(directory) if _is_model(path))
    if not found:
        raise InputError(
            f"no model directory in {directory}",
            hint="a model directory holds inference.yml beside inference.onnx or inference.om; "
            "paddle2om convert makes them",
        )
    return found


def read_models(directories: Mapping[str, Path]) -> tuple[ConvertedModel, ...]:
    """Read exactly these model directories, each under the name given."""
    return tuple(_read_model(path, name) for name, path in directories.items())


def assign(
    modules: Sequence[Module],
    models: Iterable[ConvertedModel],
    chosen: Mapping[str, str],
    *,
    backend: Backend = "onnx",
) -> dict[str, ConvertedModel]:
    """Choose a model for each module; optional modules without one are left out.

    ``chosen`` maps a module to a model's directory name (or its PaddleX model name), or to
    ``none``. Raises ``InputError`` for unknown names, a required module without a model, and
    two candidates without a choice: which of two models reads the text is the user's decision.
    """
    models = tuple(models)
    known = [module.name for module in modules]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"this pipeline has no module {name}", hint=_suggest(name, known, "its modules are")
            )
    assignment = {}
    for module in modules:
        needed = module.backend(backend)
        choice = chosen.get(module.name)
        if choice == NO_MODEL:
            if module.required:
                raise InputError(
                    f"{module.name} cannot be switched off: the pipeline needs it",
                    hint=f"choose a model with --use {module.name}=NAME",
                )
            continue
        if choice is not None:
            assignment[module.name] = _choose(module, models, choice, needed)
            continue
        candidates = [m for m in models if m.role == module.role and needed in m.backends]
        if len(candidates) > 1:
            names = " and ".join(model.name for model in candidates)
            raise InputError(
                f"{len(candidates)} models fit {module.name}: {names}",
                hint=f"choose one: --use {module.name}={candidates[0].name}"
                + ("" if module.required else f" (or ={NO_MODEL})"),
            )
        if candidates:
            assignment[module.name] = candidates[0]
        elif module.required:
            raise InputError(f"no model for {module.name}", hint=_why_none(module, models, needed))
    return assignment


def _visible(directory: Path) -> list[Path]:
    # Hidden directories hold work in progress, such as a conversion's.
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _is_model(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in _MODEL_FILES)


def _holds_model(path: Path) -> bool:
    """Whether ``path`` is a file with something in it, and an OM file if it is called so."""
    try:
        with path.open("rb") as file:
            head = file.read(len(OM_MAGIC))
    except OSError:
        return False
    return head == OM_MAGIC if path.suffix == ".om" else bool(head)


def _read_model(directory: Path, name: str | None = None) -> ConvertedModel:
    # Not resolve() alone: a link such as "current" is meant to be followed when PaddleX loads.
    directory = directory.resolve() if ".." in directory.parts else directory.absolute()
    name = name or directory.name
    backends: frozenset[Backend] = frozenset(
        backend
        for backend, alternatives in _FILES.items()
        if any(all(_holds_model(directory / file) for file in files) for files in alternatives)
    )

    def unusable(problem: str) -> ConvertedModel:
        return ConvertedModel(name, directory, "", None, backends, problem=problem)

    yml = directory / "inference.yml"
    if not yml.is_file():
        return unusable("it has no inference.yml, without which PaddleX loads no model")
    try:
        content = read_inference_yml(yml)
    except InputError as error:
        return unusable(error.message)
    if content.model_name is None:
        return unusable("its inference.yml has no Global.model_name")
    problem = "" if content.role else f"no PaddleX module is known for {content.model_name}"
    shape = (3, *content.input_size) if content.input_size else None
    return ConvertedModel(
        name,
        directory,
        content.model_name,
        content.role,
        backends,
        shape,
        problem,
        read_om_input_shape(directory),
    )


def _choose(
    module: Module, models: Sequence[ConvertedModel], choice: str, backend: Backend
) -> ConvertedModel:
    named = [model for model in models if model.name == choice]
    named = named or [model for model in models if model.model_name == choice]
    if not named:
        names = [model.name for model in models]
        raise InputError(
            f"there is no model {choice} for {module.name}",
            hint=_suggest(choice, names, "the models here are"),
        )
    if len(named) > 1:
        raise InputError(
            f"{len(named)} models are called {choice}: {', '.join(m.name for m in named)}",
            hint=f"use the directory name: --use {module.name}={named[0].name}",
        )
    model = named[0]
    if model.role != module.role:
        raise InputError(
            f"{model.name} does not fit {module.name}",
            hint=model.problem or f"its inference.yml says that it is for {_words(model.role)}",
        )
    if backend not in model.backends:
        raise InputError(
            f"{model.name} has no {_file_of(backend)}, which {module.name} needs",
            hint=_how_to_make(backend),
        )
    return model


def _why_none(module: Module, models: Sequence[ConvertedModel], backend: Backend) -> str:
    lacking = [model.name for model in models if model.role == module.role]
    if lacking:
        return f"{', '.join(lacking)} has no {_file_of(backend)}: {_how_to_make(backend)}"
    reasons = [f"{model.name}: {model.problem}" for model in models if model.problem]
    return "; ".join([f"convert a {module.name} model into the same directory", *reasons])


def _file_of(backend: Backend) -> str:
    return " + ".join(_FILES[backend][0])


def _how_to_make(backend: Backend) -> str:
    return {
        "onnx": "make it with paddle2om convert",
        "om": "make it with paddle2om convert --soc on a machine that has atc, or render with "
        "--backend onnx",
        "paddle": "give the directory of the original Paddle model",
    }[backend]


def _words(role: Role | None) -> str:
    return str(role).replace("_", " ")


def _suggest(name: str, known: Sequence[str], listing: str) -> str:
    lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    meant = f"did you mean {lower[close[0]]}? " if close else ""
    return f"{meant}{listing} {', '.join(known)}"
