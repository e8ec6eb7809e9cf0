"""Reads the errors in atc's output, in the forms of all CANN versions, and says what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from converter.atc.flags import DATA
from converter.atc.model_facts import ModelFacts
from converter.model.wording import shorten

#: They wrap another error, or stand for one that atc has no code for: the next line says more.
WRAPPER_CODES = ("E19999", "EZ9999")

_CODE = r"[EW][0-9A-Z]\d{4}"
_STAMP = r"(?:\[PID: ?\d+\] ?)?(?:\d{4}-\d\d-\d\d-[\d:.]+ ?)?"

#: To 7.0 ``E10001: text``, in 8 ``E10001: [PID: 7] time text``, in 9
#: ``[PID: 7] time Title(E10001): text``; inner errors also as
#: ``E19999[PID: 7] time title(E19999):  text``. A code inside a sentence or
#: below an indent is no error of its own.
_FORMS = (
    re.compile(rf"^\s?(?P<code>{_CODE}): *{_STAMP} *(?P<text>.*)$"),
    re.compile(rf"^\s?{_STAMP}(?P<title>[A-Za-z][\w -]*)\((?P<code>{_CODE})\): *(?P<text>.*)$"),
    re.compile(
        rf"^\s?(?P<code>{_CODE})\[PID: ?\d+\] ?[\d:.\-]* *(?:[\w ]+\({_CODE}\):)? *(?P<text>.*)$"
    ),
)

#: What the texts of different versions have in common; values may stand in brackets.
_ARGUMENTS = (
    re.compile(r"Value \[?(?P<value>.*?)\]? for parameter \[?(?P<parameter>[^\s\]]+)\]? "),
    re.compile(r"\bReason: \[?(?P<reason>.+?)\]?$"),
    re.compile(r"\bOp(?:name)? \[?(?!of\b)(?P<opname>[^\s,\]]+)"),
    re.compile(r"[Oo]p ?type:? \[?(?P<optype>[\w:.]*\w)|of type \[?(?P<kind>[\w:.]*\w)"),
    re.compile(r"specified in \[?(?P<parameter>--[\w]+)"),
)


@dataclass(frozen=True)
class AtcError:
    """One error (or, with W, warning) that atc reported.

    ``text`` is its first line without process and time, ``lines`` what is indented below it: the
    cause, the advice and the trace, each as atc has it. ``arguments`` are the values that the text
    fills in, by the names of atc's own tables where the form of the text tells them.
    """

    code: str
    text: str
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    title: str = ""
    lines: tuple[str, ...] = ()

    @property
    def is_wrapper(self) -> bool:
        """Whether it only says that there was some error."""
        return self.code in WRAPPER_CODES

    def __str__(self) -> str:
        text = (
            f"{self.title}({self.code}): {self.text}" if self.title else f"{self.code}: {self.text}"
        )
        if self.is_wrapper:
            said = (line for line in self.lines if not line.startswith("TraceBack"))
            text = f"{text} {next(said, '')}"
        return text.strip()

    @property
    def whole(self) -> str:
        """Everything that atc said of it, on one line."""
        first = f"{self.title}({self.code})" if self.title else self.code
        return " ".join(filter(None, (f"{first}: {self.text}", *self.lines)))


@dataclass(frozen=True)
class _Knowledge:
    cause: str
    todo: str
    code: str | None = None
    pattern: re.Pattern[str] | None = None


@cache
def _known() -> tuple[Mapping[str, _Knowledge], Sequence[_Knowledge]]:
    """What ``data/errors.json`` has by code, and by the text's form."""
    data = json.loads((DATA / "errors.json").read_text(encoding="utf-8"))
    codes = {row["code"]: _Knowledge(row["cause"], row["todo"]) for row in data["codes"]}
    cases = [
        _Knowledge(row["cause"], row["todo"], row.get("code"), re.compile(row["pattern"]))
        for row in data["cases"]
    ]
    return codes, cases


def parse_errors(output: str) -> tuple[AtcError, ...]:
    """Every error and warning in atc's output, in its order."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in output.splitlines():
        match = next((m for form in _FORMS if (m := form.match(line))), None)
        if match:
            found.append((match, []))
        elif found and line[:1].isspace() and line.strip():
            found[-1][1].append(line.strip())
    return tuple(_error(match, lines) for match, lines in found)


def _error(match: re.Match[str], lines: list[str]) -> AtcError:
    text = match["text"].strip()
    arguments: dict[str, str] = {}
    for form in _ARGUMENTS:
        if said := form.search(text):
            for name, value in said.groupdict().items():
                if value:
                    arguments.setdefault("optype" if name == "kind" else name, value)
    bracketed = re.findall(r"\[([^\[\]]+)\]", text)
    arguments |= {str(i): v for i, v in enumerate(bracketed) if v not in arguments.values()}
    title = match.groupdict().get("title") or ""
    return AtcError(match["code"], text, MappingProxyType(arguments), title.strip(), tuple(lines))


def main_error(errors: Sequence[AtcError]) -> AtcError | None:
    """The error that says most: the first that is no warning and, if there is one, no wrapper."""
    serious = [error for error in errors if not error.code.startswith("W")]
    return min(serious, key=lambda error: error.is_wrapper, default=None)


def explain(
    errors: Sequence[AtcError], model: ModelFacts | None = None, *, output: str = ""
) -> tuple[str, str] | None:
    """Cause and remedy of the main error, in our words and with the model's own names.

    ``output`` is searched where no error has a code, as for mistakes in the command's syntax. An
    unknown code gives atc's words, whole. None when there is nothing to explain.
    """
    error = main_error(errors)
    codes, cases = _known()
    words = error.whole if error is not None else output
    for case in cases:
        assert case.pattern is not None
        fits = case.code in (None, error.code if error else None)
        if fits and (said := case.pattern.search(words)):
            values = {k: v.strip() for k, v in said.groupdict().items() if v}
            # Words without a code, an input named x among them, say nothing of the model.
            return _with_subject(case.cause, values, words, model if case.code else None), case.todo
    if error is None:
        return None
    knowledge = codes.get(error.code)
    if knowledge is None:
        return shorten(error.whole, 4000), "paddle2om does not know this code: see CANN's manual"
    return _with_subject(knowledge.cause, error.arguments, words, model), knowledge.todo


def _with_subject(
    cause: str, arguments: Mapping[str, str], words: str, model: ModelFacts | None
) -> str:
    """``cause`` and what it is about: operators and inputs of the model, else atc's arguments."""
    parameter, value = arguments.get("parameter", ""), arguments.get("value", "")
    name = arguments.get("opname", "")
    kind = arguments.get("optype", "").rpartition("::")[2]
    subject = "=".join(filter(None, (parameter and f"--{parameter.lstrip('-')}", value)))
    if not value and model is not None:
        subject = next(_in_model(words, model), subject)
    if not subject and (name or kind):
        subject = f"operator {name} ({kind})" if name and kind else f"operator {name or kind}"
    subject = f"{cause}: {subject}" if subject else cause
    reason = arguments.get("reason")
    return shorten(f"{subject} ({reason.rstrip('.')})" if reason else subject, 600)


def _in_model(words: str, model: ModelFacts) -> Iterator[str]:
    """Operators and inputs of the model that ``words`` names; operator types come last."""
    tokens = set(re.split(r"[\s\[\](),;'\"]+", words)) | set(re.split(r"[\s\[\](),;'\":]+", words))
    tokens |= {token.rstrip(".") for token in tokens}
    for name, kind in model.operators.items():
        if name in tokens:
            opset = f", opset {model.opset}" if model.opset else ""
            yield f"operator {name} ({kind}{opset})"
    for spec in model.inputs:
        if spec.name in tokens:
            yield f"input {spec}"
    for token in tokens:
        users = [name for name, kind in model.operators.items() if kind == token]
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            yield f"operator {users[0]} ({token}, opset {model.opset}){more}"
