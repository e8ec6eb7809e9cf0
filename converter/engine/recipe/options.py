"""From what a recipe says about a model to ``ConvertOptions``; each mistake has a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from converter.accuracy.user_data import check_data
from converter.atc.from_options import parse_flags
from converter.atc.runners.place import absolute_place
from converter.atc.soc_detect import resolve_soc
from converter.engine.recipe.mistakes import Mistake
from converter.engine.recipe.reading import Said
from converter.errors import InputError
from converter.model.compile_options import CONFIG_FILES, CompileOptions
from converter.model.task import ConvertOptions

#: Keys of a recipe that are fields of ``CompileOptions``, under another name where that is given.
COMPILE_KEYS: Mapping[str, str] = {
    name: name
    for name in (
        *("soc", "shapes", "profiles", "profile_flag", "precision", *CONFIG_FILES),
        "precision_from",
        *("aipp", "cann", "target", "on"),
    )
} | {"atc_flags": "flags", "atc_timeout": "timeout"}

#: Keys that are fields of ``ConvertOptions`` as they are.
PLAIN_KEYS = (
    *("opset", "simplify", "rename", "seed", "sweep", "timeout", "memory"),
    *("tolerances", "min_agreement"),
)

#: What says nothing without a chip to compile for; ``target`` and ``on`` mean no harm.
_NEEDS_SOC = frozenset(COMPILE_KEYS) - {"soc", "target", "on", "cann", "atc_timeout"}


def options_from(
    said: Mapping[str, Said], own: frozenset[str], mistakes: list[Mistake], *, compiles: bool
) -> ConvertOptions:
    """The options that ``said`` amounts to; ``own`` are the keys that the model itself has.

    ``compiles`` says that a variant brings a chip. What is wrong goes to ``mistakes``.
    """
    given = {name: value for name, value in said.items() if value.value is not None}
    plain = {name: given[name].value for name in PLAIN_KEYS if name in given}
    if "tolerance" in given:
        plain |= _tolerance(given["tolerance"], mistakes)
    if "data" in given:
        plain["data"] = _data(given["data"], mistakes)
    if "soc" not in given and not compiles:
        for name in sorted(own & _NEEDS_SOC & given.keys()):
            mistakes.append(
                Mistake(
                    given[name].document.place(given[name].path, key=True),
                    f"{name} without soc: it says how an OM file is compiled",
                    f"add soc: Ascend310P3 (see npu-smi info), or leave {name} out",
                )
            )
        return ConvertOptions(**plain)
    compiled = {
        field: _value(name, given[name], mistakes)
        for name, field in COMPILE_KEYS.items()
        if name in given and name != "atc_flags"
    }
    if "atc_flags" in given:
        compiled["flags"] = _flags(given["atc_flags"], mistakes)
    if compiled.get("soc") == "auto" and compiled.get("on", "local") != "local":
        mistakes.append(
            Mistake(
                given["soc"].place,
                f"soc: auto asks this host, and atc is to run elsewhere ({compiled['on']})",
                "name the chip that the OM file is for, for example Ascend310P3",
            )
        )
    return ConvertOptions(compile=CompileOptions(**compiled), **plain)


def soc_version(text: str) -> str:
    """The soc_version that ``text`` means; ``auto`` stays. Raises ``InputError``."""
    return text if text == "auto" else resolve_soc(text)


def _value(name: str, said: Said, mistakes: list[Mistake]) -> Any:
    try:
        return _CHECKS[name](said) if name in _CHECKS else said.value
    except InputError as error:
        mistakes.append(Mistake(said.place, error.message, error.hint))
        return CompileOptions.model_fields[COMPILE_KEYS[name]].get_default(
            call_default_factory=True
        )


def _existing(said: Said) -> str:
    path = said.resolve(said.value)
    if not path.is_file():
        raise InputError(f"{said.value} is not a file", hint=f"it would be {path}")
    return str(path)


def _report(said: Said) -> str:
    path = said.resolve(said.value)
    return str(path) if path.is_dir() else _existing(said)


def _place(said: Said) -> str:
    kind, _, rest = said.value.partition(":")
    return absolute_place(
        f"bundle:{said.resolve(rest)}" if kind == "bundle" and rest else said.value
    )


_CHECKS: Mapping[str, Callable[[Said], Any]] = {
    "soc": lambda said: soc_version(said.value),
    "aipp": lambda said: said.value if said.value in ("rgb", "bgr") else _existing(said),
    "on": _place,
    "precision_from": lambda said: _report(said),
    **dict.fromkeys(CONFIG_FILES, _existing),
}


def _flags(said: Said, mistakes: list[Mistake]) -> dict[str, str]:
    flags: dict[str, str] = {}
    for name, value in said.value.items():
        place = said.document.place((*said.path, name), key=True)
        try:
            ((known, text),) = parse_flags([f"{name}={value}"]).items()
        except InputError as error:
            mistakes.append(Mistake(place, error.message.replace("--atc-flag ", ""), error.hint))
            continue
        if known in flags:
            mistakes.append(Mistake(place, f"{known} is given twice", "keep one of them"))
        flags[known] = text
    return flags


def _data(said: Said, mistakes: list[Mistake]) -> tuple[str, ...]:
    paths = []
    for index, text in enumerate(said.value):
        try:
            path = str(said.resolve(text))
            check_data([path])
        except InputError as error:
            place = said.document.place((*said.path, index))
            mistakes.append(Mistake(place, error.message.replace("--data ", ""), error.hint))
        else:
            paths.append(path)
    try:
        check_data(paths)
    except InputError as error:  # too many in all
        mistakes.append(Mistake(said.place, error.message.replace("--data ", ""), error.hint))
    return tuple(paths)


def _tolerance(said: Said, mistakes: list[Mistake]) -> dict[str, float | None]:
    tolerance = said.value
    if tolerance.max_abs is None:
        return {"atol": tolerance.atol, "rtol": tolerance.rtol}
    if tolerance.atol is not None or tolerance.rtol is not None:
        mistakes.append(
            Mistake(
                said.place,
                "max_abs beside atol or rtol",
                "max_abs is atol with an rtol of 0: give either of them",
            )
        )
    return {"atol": tolerance.max_abs, "rtol": 0.0}
