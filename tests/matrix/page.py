"""``docs/reference/operators.md``, from the results of a whole run."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.matrix.case import OPSETS, SAMPLE_EVERY, SAMPLED_OPSETS
from tests.matrix.running import Results
from tests.matrix.table import TOOLS, not_as_bare
from tests.matrix.verdict import VERDICTS, Cell

_TOLD = {"bare": "paddle2onnx alone", "ours": "paddle2om"}

#: Anything that looks like a file of the machine that the matrix ran on.
_PATH = re.compile(r"(?<![\w.])/(?:[\w.@+-]+/)+[\w.@+-]*(?::\d+)?")


def render(results: Results) -> str:
    """The page as Markdown."""
    parts = [
        _head(results),
        _totals(results),
        _families(results),
        _not_right(results),
        _operators(results),
    ]
    return "\n".join(parts).rstrip() + "\n"


_MEANING = {
    "right": "Every output has Paddle's shape, dtype, NaN and infinity pattern; integers are "
    "equal, floats within 1e-4 of the largest reference value (float16: 1e-2). Of random outputs "
    "only shape, dtype and range are compared.",
    "raised": "Right, but at another opset than the one asked for.",
    "wrong": "A file that computes something else. paddle2om's own gate stops it, but for those "
    "that are counted as accepted below.",
    "refused": "No usable file and a message, of the converter or of ONNX Runtime.",
    "unsupported": "The converter does not know an operator. paddle2onnx aborts without naming it.",
    "crash": "The process was killed by a signal or by the time limit.",
}


_SHAPES = {
    True: """paddle2om reads the shapes that a
case takes from an `inference.yml`, as PaddleX's models have one; the values that its gate compares
on are its own draws, not those that the verdicts here are made of.""",
    False: """paddle2om's gate chooses
shapes and values by itself: a model whose own Paddle refuses them (indices out of range, masks of
another extent) counts as refused.""",
}


def _head(results: Results) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    count = len(results.cases) - len(results.unsaved)
    ran = _opsets(results)
    told = f"at opsets {_listed(at for at in ran if at in OPSETS)}"
    if sampled := _listed(at for at in ran if at in SAMPLED_OPSETS):
        told += f"; one in {SAMPLE_EVERY} also at {sampled}"
    note = f"\n{results.note}\n" if results.note else ""
    meanings = "\n".join(_row(pair) for pair in _MEANING.items())
    return f"""# Operators and architectures

<!-- Written by `make matrix MATRIX=--docs`; edit tests/matrix/page.py instead. -->

What converts and computes what Paddle computes, measured. Every case is built in Paddle, saved with
`paddle.jit.save`, converted by paddle2onnx as it is and by paddle2om, and run in ONNX Runtime on
two sets of inputs, of different shapes where the model has dynamic dims. The reference is the saved
program in Paddle's own predictor. onnxsim is not involved. {_SHAPES[results.told_shapes]}

Measured on {results.date[:10]}, {results.machine}: {versions}.
{count} cases {told}.
{note}
| Verdict | Meaning |
|---|---|
{meanings}

`make matrix` runs it all again. `make matrix MATRIX="--family padding --opset 11 --only-ours -v"`
runs a part and shows every cell.
"""


def _totals(results: Results) -> str:
    lines = ["## Totals", "", _row(["Converter", "Opset", "Cases", *VERDICTS]), _rule(9)]
    for tool in TOOLS:
        for opset in _opsets(results):
            found = results.of(tool, opset)
            if not found:
                continue
            counts = Counter(cell.verdict for cell in found)
            shares = [
                f"{counts[v]} ({counts[v] / len(found):.1%})" if counts[v] else "0"
                for v in VERDICTS
            ]
            lines.append(_row([_TOLD[tool], opset, len(found), *shares]))
    for opset in _opsets(results):
        ran = {tool: {cell.case for cell in results.of(tool, opset)} for tool in TOOLS}
        for tool in TOOLS:
            if missing := len(ran["bare"] | ran["ours"]) - len(ran[tool]):
                lines += ["", f"Not run yet: {missing} cases of {_TOLD[tool]} at opset {opset}."]
    accepted = [cell for cell in results.of("ours") if cell.wrong_but_accepted]
    grown = not_as_bare(results)
    kept = [cell for cell in results.of("ours") if cell.verdict == "right" and not cell.repairs]
    lines += [
        "",
        f"Wrong, and accepted by paddle2om: {len(accepted)}"
        + (
            f" ({', '.join(sorted({_code(cell.case) for cell in accepted}))})." if accepted else "."
        ),
        f"Right without any repair: {len(kept)}, of which other nodes than paddle2onnx alone gives "
        f"where that is right: {len(grown)}.",
        "",
    ]
    return "\n".join(lines)


def _families(results: Results) -> str:
    """Right at exactly the opset asked for, of all, per family."""
    columns = [(tool, at) for at in _opsets(results) if at in OPSETS for tool in TOOLS]
    head = [f"{opset}, {'alone' if tool == 'bare' else 'paddle2om'}" for tool, opset in columns]
    lines = [
        "## Families",
        "",
        "Cases right at the opset asked for, of all, for paddle2onnx alone and paddle2om.",
        "",
        _row(["Family", *head]),
        _rule(len(head) + 1),
    ]
    by_family: dict[str, list[Cell]] = defaultdict(list)
    for cell in results.cells:
        by_family[cell.case.partition(".")[0]].append(cell)
    for family, cells in sorted(by_family.items()):
        shares = []
        for tool, opset in columns:
            found = [cell for cell in cells if (cell.tool, cell.opset) == (tool, opset)]
            right = sum(cell.verdict == "right" for cell in found)
            shares.append(f"{right}/{len(found)}" if found else "")
        lines.append(_row([family.replace("_", " "), *shares]))
    return "\n".join([*lines, ""])


def _not_right(results: Results) -> str:
    """Every case that paddle2om does not get right, with its reason; equal reasons together."""
    lines = [
        "## Not right in paddle2om",
        "",
        "Opsets of the main three at which the case is not right, and why.",
        "",
        _row(["Case", "Opsets", "Verdict", "Reason"]),
        _rule(4),
    ]
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for cell in results.of("ours"):
        if cell.verdict != "right" and cell.opset in OPSETS:
            reason = re.sub(r"\bat opset \d+", "at this opset", _clean(cell.reason))
            groups[cell.case, cell.verdict, reason].append(cell.opset)
    for (case, verdict, reason), opsets in sorted(groups.items()):
        lines.append(_row([_code(case), _listed(opsets), verdict, reason]))
    if unsaved := results.unsaved:
        lines += ["", "Paddle itself cannot save or run: " + ", ".join(map(_code, sorted(unsaved)))]
    return "\n".join([*lines, ""])


def _operators(results: Results) -> str:
    """Per operator: in how many cases, and how many of those are right."""
    lines = [
        "## Operators",
        "",
        "Paddle operators in the cases. A case counts for each operator in its saved program, so a",
        "failure elsewhere in it counts too.",
        "",
        _row(["Operator", "Cases", "11, alone", "11, paddle2om", "17, alone", "17, paddle2om"]),
        _rule(6),
    ]
    verdicts = {(cell.case, cell.tool, cell.opset): cell.verdict for cell in results.cells}
    cases: dict[str, list[str]] = defaultdict(list)
    for case, facts in results.cases.items():
        for operator in facts.get("operators", {}):
            cases[operator].append(case)
    for operator, found in sorted(cases.items()):
        if operator.startswith(("builtin.", "cf.")):
            continue
        right = [
            sum(verdicts.get((case, tool, opset)) == "right" for case in found)
            for opset in (11, 17)
            for tool in TOOLS
        ]
        lines.append(_row([_code(operator.removeprefix("pd_op.")), len(found), *right]))
    return "\n".join(lines)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _opsets(results: Results) -> list[int]:
    return sorted({cell.opset for cell in results.cells})


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _rule(count: int) -> str:
    return "|---" * count + "|"


def _code(name: str) -> str:
    return f"`{name}`"


def _clean(reason: str) -> str:
    """A reason as a table cell: no paths of this machine, nothing that Markdown would take."""
    told = _PATH.sub("a file", reason)
    return re.sub(r"([|*_<>`\[\]])", r"\\\1", told)
