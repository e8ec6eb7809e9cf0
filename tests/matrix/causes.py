"""What is not right, grouped by what causes it: where to begin."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.matrix.running import Results
from tests.matrix.verdict import VERDICTS, Cell

#: ``no right form at opset 11 for: celu (neither ... has it); triu (paddle2onnx writes it ...)``.
_NO_FORM = re.compile(r"no right form at opset \d+ for: (.*)")
_OPERATOR = re.compile(r"(\S+) \(([^()]*)\)")

#: What differs from case to case in messages of one cause.
_PARTICULAR = (
    (re.compile(r"(?<![\w.])/(?:[\w.@+-]+/)+[\w.@+-]*(?::\d+)?"), "…"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "'…'"),
    (re.compile(r"\[[-\d, ]*\]"), "[…]"),
    (re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"), "N"),
)


def render(results: Results, opsets: tuple[int, ...] = (11, 17)) -> str:
    """Markdown: for each tool and opset its counts, then the causes of what is not right."""
    lines = [f"# Matrix of {results.date}", ""]
    lines += [", ".join(f"{name} {version}" for name, version in results.versions.items()), ""]
    for tool in ("bare", "ours"):
        for opset in opsets:
            if found := results.of(tool, opset):
                counts = [sum(cell.verdict == v for cell in found) for v in VERDICTS]
                told = ", ".join(f"{v} {n}" for v, n in zip(VERDICTS, counts, strict=True))
                share = counts[0] / len(found)
                lines.append(f"- {tool} at {opset}: {len(found)} cells, {told} ({share:.1%} right)")
    accepted = [cell for cell in results.of("ours") if cell.wrong_but_accepted]
    lines += ["", f"## Wrong but accepted by ours: {len(accepted)}", ""]
    lines += [f"- `{cell.case}` at {cell.opset}: {cell.reason}" for cell in accepted]
    for opset in opsets:
        groups = grouped(results.of("ours", opset))
        lines += ["", f"## Ours at opset {opset}", ""]
        for (verdict, cause), cells in groups:
            names = ", ".join(f"`{cell.case}`" for cell in cells)
            lines.append(f"- {verdict}, {len(cells)}: {cause}: {names}")
    if results.unsaved:
        lines += ["", "## Paddle itself cannot", ""]
        lines += [f"- `{name}`: {why}" for name, why in sorted(results.unsaved.items())]
    return "\n".join(lines) + "\n"


def grouped(cells: list[Cell]) -> list[tuple[tuple[str, str], list[Cell]]]:
    """The cells that are not right, by verdict and cause, the most frequent first."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict != "right":
            for cause in _causes(cell):
                groups[cell.verdict, cause].append(cell)
    return sorted(
        groups.items(), key=lambda item: (VERDICTS.index(item[0][0]), -len(item[1]), item[0])
    )


def _causes(cell: Cell) -> list[str]:
    """The operators a message names, each a cause of its own; else the message in general."""
    if found := _NO_FORM.search(cell.reason):
        named = _OPERATOR.findall(found[1])
        return [f"{operator} ({why})" for operator, why in named] or [found[1]]
    told = cell.reason
    for pattern, instead in _PARTICULAR:
        told = pattern.sub(instead, told)
    return [told[:160]]
