"""The model directories there are, and what each can run and do, read from its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from converter.errors import InputError
from converter.model.artefacts import read_om_input_shape
from converter.model.inference_yml import InferenceYml, read_inference_yml
from converter.model.om_file import read_om
from converter.model.om_header import OM_MAGIC
from converter.model.paddle_dir import find_model
from converter.model.roles import Role, role_of
from converter.paddlex import tables

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
class Repairs:
    """What the directory ``source`` lacks before PaddleX can load the model.

    ``renamed`` maps the name that a file must have to the one that it has. ``yml`` says whether
    inference.yml is ``missing``, or ``nameless``: without ``Global.model_name``.
    """

    source: Path
    renamed: Mapping[str, str] = field(default_factory=dict)
    yml: Literal["", "missing", "nameless"] = ""

    def original(self, name: str) -> str:
        """The name that a file of this name has in ``source``."""
        return self.renamed.get(name, name)


@dataclass(frozen=True)
class ConvertedModel:
    """A model directory. ``role`` is what it does, None with the ``problem`` if nobody knows.

    ``image_shape`` is the input (channels, height, width) that the inference.yml names;
    ``om_input_shape`` is what the OM file was compiled for, as atc's ``--input_shape`` has it.
    ``repairs`` is what the directory lacks, if that can be helped.
    """

    name: str
    directory: Path
    model_name: str
    role: Role | None
    backends: frozenset[Backend]
    image_shape: tuple[int, int, int] | None = None
    problem: str = ""
    om_input_shape: str | None = None
    repairs: Repairs | None = None


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
    found = tuple(_read_model(path) for path in _visible(directory) if _is_model_below(path))
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


def foreseen_models(sources: Mapping[str, Path]) -> tuple[ConvertedModel, ...]:
    """What Paddle models (directories or program files) will be as ONNX files under these names.

    One whose files cannot be read is left out.
    """
    found = (_foreseen(name, source) for name, source in sources.items())
    return tuple(model for model in found if model is not None)


def _foreseen(name: str, source: Path) -> ConvertedModel | None:
    try:
        yml = find_model(source).yml
        content = read_inference_yml(yml) if yml else InferenceYml()
    except InputError:
        return None
    model_name, role = content.model_name, content.role
    if model_name is None:
        guessed = role_of(name, {})
        known = tables.is_inference_yml_known(name, guessed)
        model_name, role = (name, guessed) if known else ("", None)
    problem = "" if model_name else "its inference.yml, if there is one, names no model"
    return ConvertedModel(name, source, model_name, role, frozenset({"onnx"}), problem=problem)


def _visible(directory: Path) -> list[Path]:
    # Hidden directories hold work in progress, such as a conversion's.
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _is_model(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in _MODEL_FILES)


def _is_model_below(path: Path) -> bool:
    """Whether a directory in the one given holds a model, if under a name of its own."""
    return _is_model(path) or (path.is_dir() and bool(_renamed(path)))


def _renamed(directory: Path) -> dict[str, str]:
    """PaddleX's name -> the file's own, where there is exactly one ONNX or OM file."""
    renamed = {}
    for kind in ("onnx", "om"):
        files = [path.name for path in sorted(directory.glob(f"*.{kind}"))]
        if len(files) == 1 and files[0] != f"inference.{kind}":
            renamed[f"inference.{kind}"] = files[0]
    return renamed


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
    renamed = _renamed(directory)
    repairs = Repairs(directory, renamed)
    backends: frozenset[Backend] = frozenset(
        backend
        for backend, alternatives in _FILES.items()
        if any(
            all(_holds_model(directory / repairs.original(file)) for file in files)
            for files in alternatives
        )
    )

    def unusable(problem: str) -> ConvertedModel:
        return ConvertedModel(name, directory, "", None, backends, problem=problem)

    content, lack = InferenceYml(), ""
    yml = directory / "inference.yml"
    try:
        if yml.is_file():
            content = read_inference_yml(yml)
    except InputError as error:
        return unusable(error.message)
    if content.model_name is None:
        lack = "its inference.yml has no Global.model_name"
        if not yml.is_file():
            lack = "it has no inference.yml, without which PaddleX loads no model"
        role = role_of(directory.name, {})
        if not backends or not tables.is_inference_yml_known(directory.name, role):
            return unusable(lack)
        repairs = replace(repairs, yml="nameless" if yml.is_file() else "missing")
        content = replace(content, model_name=directory.name, role=role)
    assert content.model_name is not None
    return ConvertedModel(
        name,
        directory,
        content.model_name,
        content.role,
        backends,
        (3, *content.input_size) if content.input_size else None,
        "" if content.role else f"no PaddleX module is known for {content.model_name}",
        _om_input_shape(directory, repairs.original("inference.om")),
        repairs if renamed or repairs.yml else None,
    )


def _om_input_shape(directory: Path, file: str) -> str | None:
    """What the OM file was compiled for: as it says itself, else as its manifest does."""
    path = directory / file
    try:
        inputs = read_om(path).fed_inputs if path.is_file() else ()
    except InputError:  # of a form that we cannot read, which says nothing against it
        inputs = ()
    if not inputs:
        return read_om_input_shape(directory)
    return ";".join(f"{tensor.name}:{','.join(map(str, tensor.shape))}" for tensor in inputs)
