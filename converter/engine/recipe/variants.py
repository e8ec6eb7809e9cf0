"""The variants of a model: every combination of opsets, chips and shapes that a recipe names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from converter.engine.recipe.mistakes import Mistake
from converter.engine.recipe.options import soc_version
from converter.engine.recipe.reading import Said
from converter.errors import InputError
from converter.model.recipe import Variants
from converter.model.task import ConvertOptions

#: How a value of each axis is written in a name.
_SHOWN = {"opset": "opset{}", "soc": "{}", "shapes": "{}"}


def variants_of(
    options: ConvertOptions,
    said: Mapping[str, Said],
    own: frozenset[str],
    mistakes: list[Mistake],
    *,
    compiles: bool,
) -> list[tuple[str, dict[str, str], ConvertOptions]]:
    """(what comes behind the name, the variant, its options); one without axes: ("", {}, options).

    ``compiles`` says that there is a chip, or may be one. What is wrong goes to ``mistakes``.
    """
    given = said.get("variants")
    if given is None or given.value is None:
        return [("", {}, options)]
    axes = _axes(given, mistakes)
    for name in sorted(axes.keys() & own) if "variants" in own else ():
        place = said[name].document.place(said[name].path, key=True)
        mistakes.append(
            Mistake(place, f"{name} is given beside its variants", "keep one of the two")
        )
    if "shapes" in axes and not (options.compile.soc or compiles):
        mistakes.append(
            Mistake(
                given.document.place((*given.path, "shapes"), key=True),
                "variants of shapes without soc: they are shapes of OM files",
                "add soc: Ascend310P3 (see npu-smi info), or leave them out",
            )
        )
    made = []
    for values in itertools.product(*(values.items() for values in axes.values())):
        variant = dict(zip(axes, (label for label, _ in values), strict=True))
        suffix = "".join(f"-{_SHOWN[axis].format(label)}" for axis, label in variant.items())
        chosen = dict(zip(axes, (value for _, value in values), strict=True))
        made.append((suffix, variant, _with(options, chosen)))
    return made


def _axes(given: Said, mistakes: list[Mistake]) -> dict[str, dict[str, Any]]:
    """Axis -> label -> value, for the axes that have values."""
    variants: Variants = given.value
    axes: dict[str, dict[str, Any]] = {}
    if variants.opset:
        axes["opset"] = {str(opset): opset for opset in variants.opset}
    if variants.soc:
        socs: dict[str, str] = {}
        for index, text in enumerate(variants.soc):
            place = given.document.place((*given.path, "soc", index))
            try:
                soc = soc_version(text)
            except InputError as error:
                mistakes.append(Mistake(place, error.message, error.hint))
                continue
            if soc in socs:
                mistakes.append(Mistake(place, f"{soc} is given twice", "remove one of them"))
            socs[soc] = soc
        if socs:
            axes["soc"] = socs
    if variants.shapes:
        axes["shapes"] = dict(variants.shapes)
    return axes


def _with(options: ConvertOptions, chosen: Mapping[str, Any]) -> ConvertOptions:
    compiled = {name: value for name, value in chosen.items() if name != "opset"}
    changes: dict[str, Any] = {"compile": options.compile.model_copy(update=compiled)}
    if "opset" in chosen:
        changes["opset"] = chosen["opset"]
    return options.model_copy(update=changes)
