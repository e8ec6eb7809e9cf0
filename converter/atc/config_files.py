"""Checks the files that precision flags name: their form, and the operators in them.

Types after ``OpType::`` are those of atc's own operators, which an ONNX file does not have; they
are not looked up.
"""

from __future__ import annotations

import configparser
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from converter.errors import InputError
from converter.model.files import parse_json

_TYPE = re.compile(r"OpType::(\w+)")
_DTYPES = re.compile(
    r"(?:OpType::(?P<type>\w+):|(?P<name>.+?)::)"
    r"InputDtype:(?P<inputs>[\w,]*?),?OutputDtype:(?P<outputs>[\w,]+)"
)

#: dtypes that operators compute in, as atc writes them.
_KNOWN_DTYPES = frozenset(
    {
        *("float", "float16", "float32", "bfloat16", "double", "bool", "complex64", "complex128"),
        *("int4", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    }
)

_LISTS = ("black-list", "white-list", "gray-list")
_CHANGES = ("to-add", "to-remove")

_SECTIONS = ("ByOpType", "ByNodeName")

_LARGEST = 1 << 20


def check_config_file(flag: str, file: Path, operators: Mapping[str, str]) -> tuple[str, ...]:
    """Check the file of a flag of ``CONFIG_FILES``; ``operators`` are the model's, name to type.

    Returns the names of operators in it.

    Raises ``InputError`` with the line where it is malformed or names what the model has not.
    """
    if file.stat().st_size > _LARGEST:
        raise InputError(f"{file} is too large for a list of operators", hint="check --" + flag)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not text", hint=f"check --{_spelt(flag)}") from error
    if not text.strip():
        raise InputError(f"{file} is empty", hint=f"leave --{_spelt(flag)} out instead")
    check: Callable[[Path, str, Mapping[str, str]], Iterable[str]] = {
        "keep_dtype": _keep_dtype,
        "customize_dtypes": _customize_dtypes,
        "modify_mixlist": _modify_mixlist,
        "op_precision_mode": _op_precision_mode,
    }[flag]
    return tuple(dict.fromkeys(check(file, text, operators)))


def _spelt(flag: str) -> str:
    return flag.replace("_", "-")


def _refuse(file: Path, what: str, hint: str) -> NoReturn:
    raise InputError(f"{file}: {what}", hint=hint)


def _numbered(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def _checked_name(file: Path, number: int | None, name: str, operators: Mapping[str, str]) -> str:
    if name in operators:
        return name
    where = f"line {number}: " if number else ""
    near = difflib.get_close_matches(name, operators, 3, 0.6)
    kinds = [node for node, kind in operators.items() if kind == name]
    hint = "see the node names with netron; a type of atc's is written OpType::Softmax"
    if near:
        hint = f"did you mean {', '.join(near)}?"
    if kinds:
        hint = f"{name} is a type; the nodes of it are {', '.join(kinds[:3])}"
    _refuse(file, f"{where}the model has no operator called {name!r}", hint)


def _keep_dtype(file: Path, text: str, operators: Mapping[str, str]) -> Iterator[str]:
    for number, line in _numbered(text):
        if line.startswith("OpType:"):
            if not _TYPE.fullmatch(line):
                _refuse(file, f"line {number} is not OpType::Type: {line!r}", "one entry per line")
            continue
        yield _checked_name(file, number, line, operators)


def _customize_dtypes(file: Path, text: str, operators: Mapping[str, str]) -> Iterator[str]:
    for number, line in _numbered(text):
        found = _DTYPES.fullmatch(re.sub(r"\s*([:,])\s*", r"\1", line))
        if found is None:
            _refuse(
                file,
                f"line {number} is not of the form of dtypes: {line!r}",
                "write Name::InputDtype:float32,float32,OutputDtype:float32 "
                "or OpType::Type:InputDtype:...",
            )
        dtypes = [*found["inputs"].split(","), *found["outputs"].split(",")]
        for dtype in filter(None, dtypes):
            if dtype not in _KNOWN_DTYPES:
                _refuse(
                    file,
                    f"line {number} has the dtype {dtype!r}",
                    "for example float16, float32, bfloat16, int32",
                )
        if found["name"]:
            yield _checked_name(file, number, found["name"], operators)


def _modify_mixlist(file: Path, text: str, operators: Mapping[str, str]) -> Iterator[str]:
    form = 'write it like {"black-list": {"to-add": ["Softmax"], "to-remove": []}}'
    content = parse_json(text, file, hint=form)
    if not isinstance(content, dict) or not content:
        _refuse(file, "it is not a JSON object with lists", form)
    yield from ()  # types, no names
    for name, changes in content.items():
        if name not in _LISTS:
            _refuse(file, f"there is no list {name!r}", f"the lists are {', '.join(_LISTS)}")
        if not isinstance(changes, dict) or not set(changes) <= set(_CHANGES):
            _refuse(file, f"{name} has other keys than {' and '.join(_CHANGES)}", form)
        for types in changes.values():
            if not isinstance(types, list) or not all(isinstance(kind, str) for kind in types):
                _refuse(file, f"{name} holds something that is not a list of types", form)


def _op_precision_mode(file: Path, text: str, operators: Mapping[str, str]) -> Iterator[str]:
    form = "write a section [ByOpType] or [ByNodeName] and below it lines like Exp=high_precision"
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InputError(f"{file}: {str(error).splitlines()[0]}", hint=form) from error
    for section in parser.sections():
        if section not in _SECTIONS:
            _refuse(file, f"there is no section [{section}]", form)
        for name, mode in parser.items(section):
            if not mode:
                _refuse(file, f"{name} has no mode", form)
            if section == "ByNodeName":
                yield _checked_name(file, None, name, operators)
