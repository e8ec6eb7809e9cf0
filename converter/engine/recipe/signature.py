"""Names that a recipe gives to inputs and outputs, against the models that are to have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converter.atc.shapes import check_shapes
from converter.engine.recipe.mistakes import Mistake, Place
from converter.engine.recipe.reading import Said
from converter.engine.recipe.wording import in_keys
from converter.errors import InputError
from converter.model.describe import read_program
from converter.model.paddle_dir import find_model
from converter.model.program import ProgramDescription
from converter.model.tolerance import check_names

_KEYS = ("rename", "tolerances", "shapes", "profiles", "variants")


def check_signature(
    source: Path, said: Mapping[str, Said], mistakes: list[Mistake], *, compiles: bool
) -> None:
    """Note what ``said`` names of the model at ``source`` and it does not have, or has otherwise.

    ``compiles`` says whether shapes count. A model that cannot be read is for the report to tell.
    """
    given = {name: said[name] for name in _KEYS if name in said and said[name].value}
    if not given:
        return
    try:
        program = read_program(find_model(source))
    except InputError:
        return
    names = [spec.name for spec in (*program.inputs, *program.outputs)]
    for name in given["rename"].value if "rename" in given else ():
        if name not in names:
            what = f"{source.name} has no input or output called {name}"
            hint = f"it has {', '.join(names)}"
            mistakes.append(Mistake(_key_place(given["rename"], name), what, hint))
    for name, override in given["tolerances"].value.items() if "tolerances" in given else ():
        try:
            check_names({name: override}, [spec.name for spec in program.outputs])
        except InputError as error:
            place = _key_place(given["tolerances"], name)
            mistakes.append(Mistake(place, error.message, error.hint))
    if compiles:
        renamed = given["rename"].value if "rename" in given else {}
        _check_shapes(program, renamed, given, mistakes)


def _check_shapes(
    program: ProgramDescription,
    renamed: Mapping[str, str],
    given: Mapping[str, Said],
    mistakes: list[Mistake],
) -> None:
    inputs = tuple(
        spec.model_copy(update={"name": renamed.get(spec.name, spec.name)})
        for spec in program.inputs
    )
    said: list[tuple[Said, tuple[str | int, ...], Mapping[str, tuple[int, ...]]]] = []
    if "shapes" in given:
        said.append((given["shapes"], (), given["shapes"].value))
    for index, shapes in enumerate(given["profiles"].value if "profiles" in given else ()):
        said.append((given["profiles"], (index,), shapes))
    if "variants" in given and given["variants"].value.shapes:
        said += [
            (given["variants"], ("shapes", label), shapes)
            for label, shapes in given["variants"].value.shapes.items()
        ]
    for where, steps, shapes in said:
        for name, shape in shapes.items():
            try:
                check_shapes(inputs, {name: shape})
            except InputError as error:
                place = where.document.place((*where.path, *steps, name), key=True)
                mistakes.append(Mistake(place, in_keys(error.message), in_keys(error.hint)))


def _key_place(said: Said, name: str) -> Place:
    return said.document.place((*said.path, name), key=True)
