"""Find the program, the parameters and the ``inference.yml`` of a Paddle inference model.

Paddle writes ``<stem>.json`` (PIR, Paddle 3) or ``<stem>.pdmodel`` (Paddle 2) beside
``<stem>.pdiparams``; Paddle 1 wrote ``__model__`` and ``__params__``. PaddleX adds
``inference.yml``. Nothing here reads more than the first bytes of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from converter.errors import InputError
from converter.model.counting import listed
from converter.model.files import read_head, reject_lfs_pointer, unreadable
from converter.model.program import ProgramFormat

#: Stems that say nothing about which model it is, so its directory has to name it.
_GENERIC_STEMS = ("inference", "model", "__model__")

#: How much of a JSON file to read to tell a PIR program from config.json or tokenizer.json.
_HEAD_BYTES = 4096

_LOOKED_FOR = "inference.json, inference.pdmodel, another PIR *.json, *.pdmodel, __model__"

#: What to do with a file that is a model, but not one that Paddle's inference can run.
OTHER_MODELS = {
    ".onnx": "it is converted already: name the Paddle model it was made from",
    ".om": "it is compiled already: name the Paddle model it was made from",
    ".pdparams": "these are training weights: export the model with paddle.jit.save first",
    ".safetensors": "these are training weights: export the model with paddle.jit.save first",
    ".pdopt": "this is an optimizer's state: export the model with paddle.jit.save first",
    ".pdiparams": "these are the weights: name the .json or .pdmodel program beside them",
}


@dataclass(frozen=True)
class PaddleModel:
    """The files of one Paddle inference model.

    ``params`` is None when there is no parameter file; whether the program can do without is
    for ``converter.model.describe`` to say. ``yml`` is the program's own, or the directory's
    ``inference.yml`` where it can be about no other program.
    """

    directory: Path
    program: Path
    params: Path | None
    format: ProgramFormat
    yml: Path | None

    @property
    def stem(self) -> str:
        """The program file's name without its suffix."""
        return self.program.stem


def model_name(source: Path) -> str:
    """What to call the model at ``source``, whether or not there is one.

    The name of its directory, or the stem of a named program file that has a telling one.
    """
    is_file = source.is_file()
    if is_file and source.stem not in _GENERIC_STEMS:
        return source.stem
    return (source.parent if is_file else source).resolve().name or "model"


def find_model(path: Path) -> PaddleModel:
    """Find the model that ``path``, a directory or a program file, stands for.

    Raises ``InputError`` when there is none, when there are several, and when a file of it is
    empty, unreadable or a Git LFS pointer.
    """
    try:
        path.stat()
        program = _program_in(path) if path.is_dir() else _named_program(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL byte in the path
        raise InputError(f"not a path: {str(path)!r}", hint="check the path") from error
    return _complete(program)


def _complete(program: Path) -> PaddleModel:
    """Check the program file's first bytes and find what belongs to it."""
    directory = program.parent
    head = read_head(program, _HEAD_BYTES)
    if not head:
        raise InputError(f"program file {program} is empty", hint="copy or download it again")
    reject_lfs_pointer(program, head)
    params = _first_file(
        program.with_name(f"{program.stem}.pdiparams"),
        *([directory / "__params__"] if program.name == "__model__" else []),
    )
    if params:
        reject_lfs_pointer(params, read_head(params, _HEAD_BYTES))
    return PaddleModel(
        directory=directory,
        program=program,
        params=params,
        format="pir" if program.suffix == ".json" else "legacy",
        yml=_first_file(program.with_name(f"{program.stem}.yml")) or _shared_yml(program),
    )


def _first_file(*candidates: Path) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)


def _shared_yml(program: Path) -> Path | None:
    """The directory's ``inference.yml``, unless it may be about another program there."""
    yml = program.with_name("inference.yml")
    if not yml.is_file():
        return None
    names = sorted(entry.name for entry in program.parent.iterdir())
    stems = {path.stem for path in _candidates(program.parent, names)}
    return yml if stems <= {program.stem} else None


def _named_program(path: Path) -> Path:
    """Accept a program file that the user named; explain any other file."""
    if path.suffix in (".json", ".pdmodel") or path.name == "__model__":
        return path
    if path.suffix in OTHER_MODELS:
        raise InputError(
            f"{path} is not a Paddle program, it is a {path.suffix} file",
            hint=OTHER_MODELS[path.suffix],
        )
    raise InputError(
        f"{path} is not a Paddle program",
        hint="name a model directory, an inference.json or an inference.pdmodel",
    )


def _program_in(directory: Path) -> Path:
    """Choose a directory's program file, or say why there is no single one to choose."""
    names = sorted(entry.name for entry in directory.iterdir())
    if not names:
        raise InputError(
            f"model directory {directory} is empty", hint="copy or download the model into it"
        )
    for usual in ("inference.json", "inference.pdmodel"):
        if (directory / usual).is_file():
            return directory / usual
    candidates = _candidates(directory, names)
    if not candidates:
        raise _no_model(directory, names)
    if len(candidates) > 1:
        found = listed([path.name for path in candidates])
        raise InputError(
            f"{directory} holds {len(candidates)} programs: {found}",
            hint=f"name the one to use, for example {candidates[0]}",
        )
    return candidates[0]


def programs_in(directory: Path) -> list[Path]:
    """List a directory's programs, one per stem. Raises ``OSError`` and ``InputError``."""
    return _candidates(directory, sorted(entry.name for entry in directory.iterdir()))


def _candidates(directory: Path, names: list[str]) -> list[Path]:
    """List the directory's programs: one per stem, the JSON before the ``.pdmodel``."""
    legacy = [name for name in names if name.endswith(".pdmodel")]
    by_stem = {Path(name).stem: directory / name for name in legacy}
    for name in names:
        path = directory / name
        if path.suffix != ".json" or not path.is_file():
            continue
        # An empty or LFS-pointer JSON beside its weights is a broken program, not no program.
        broken = path.stem not in by_stem and path.with_suffix(".pdiparams").is_file()
        if broken or b'"base_code"' in read_head(path, _HEAD_BYTES):
            by_stem[path.stem] = path
    if not by_stem and "__model__" in names:
        return [directory / "__model__"]
    return [by_stem[stem] for stem in sorted(by_stem)]


def _no_model(directory: Path, names: list[str]) -> InputError:
    found = listed(names)
    suffixes = {Path(name).suffix for name in names}
    # .pdiparams comes last in the table: weights without a program are the weakest clue.
    hint = next(
        (advice for suffix, advice in OTHER_MODELS.items() if suffix in suffixes),
        "name the directory that holds the exported inference model",
    )
    if ".pdiparams" in suffixes:
        hint = "the weights are there, the program is not: add its .json or .pdmodel file"
    made = next((name for name in names if (directory / name / "inference.onnx").is_file()), None)
    usual = ("inference.json", "inference.pdmodel")
    below = [name for name in names if any((directory / name / file).is_file() for file in usual)]
    if made is not None:  # what paddle2om writes models to
        hint = f"name one of the models in it, for example {directory / made}"
    elif below:
        hint = f"name what is in it, {directory}/* for all, or write a recipe: "
        hint += f"paddle2om recipe init {directory}"
    return InputError(
        f"no Paddle model in {directory}: looked for {_LOOKED_FOR}; found {found}", hint=hint
    )
