"""The results as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TextIO

from tests.matrix.running import Results
from tests.matrix.verdict import VERDICTS, Cell

TOOLS = ("bare", "ours")
_GOOD = ("right", "raised")


class Progress:
    """A counter on standard error: one line that is written over where that is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._open = False

    def stage(self, name: str, total: int) -> Callable[[str], None]:
        """A function to call with each case that is done."""
        self.close()
        done = 0
        line = self._stream.isatty()

        def told(case: str) -> None:
            nonlocal done
            done += 1
            if line:
                self._stream.write(f"\r\x1b[K{name} {done}/{total} {case[:60]}")
                self._open = True
            elif done == total or done % 200 == 0:
                self._stream.write(f"{name} {done}/{total}\n")
            self._stream.flush()

        return told

    def close(self) -> None:
        """End the line."""
        if self._open:
            self._stream.write("\r\x1b[K")
            self._open = False


def cells(results: Results, *, verbose: bool) -> str:
    """A line per case and opset: both verdicts, opsets and node counts, and what went wrong.

    Without ``verbose``, only those where ours is not right (or bare, when ours did not run).
    """
    by_key: dict[tuple[str, int], dict[str, Cell]] = {}
    for cell in results.cells:
        by_key.setdefault((cell.case, cell.opset), {})[cell.tool] = cell
    lines = []
    for (case, opset), tools in sorted(by_key.items()):
        judged = tools.get("ours") or tools["bare"]
        if not verbose and judged.verdict == "right":
            continue
        told = [f"{case:44} {opset:>2} "]
        for tool in TOOLS:
            if found := tools.get(tool):
                flag = "!" if found.wrong_but_accepted and tool == "ours" else " "
                nodes = "" if found.nodes is None else found.nodes
                told.append(f"{tool} {found.verdict:11}{flag}{nodes:>5}  ")
        repairs = f" [{', '.join(judged.repairs)}]" if judged.repairs else ""
        eager = " (eager Paddle differs)" if results.cases.get(case, {}).get("eager") else ""
        lines.append("".join(told) + judged.reason + repairs + eager)
    for name, reason in sorted(results.unsaved.items()):
        lines.append(f"{name:44} not a model: Paddle: {reason}")
    return "\n".join(lines)


def summary(results: Results) -> str:
    """Totals per tool and opset, and what must not be there."""
    lines = ["", f"{'':5} {'opset':>5} {'cells':>6}" + "".join(f"{v:>12}" for v in VERDICTS)]
    for tool in TOOLS:
        for opset in sorted({cell.opset for cell in results.of(tool)}):
            found = results.of(tool, opset)
            counts = Counter(cell.verdict for cell in found)
            shares = "".join(
                f"{counts[v]:>5} {counts[v] / len(found):>5.1%}" if counts[v] else f"{'-':>12}"
                for v in VERDICTS
            )
            lines.append(f"{tool:5} {opset:>5} {len(found):>6}{shares}")
    accepted = [cell for cell in results.of("ours") if cell.wrong_but_accepted]
    lines += ["", f"ours, wrong but accepted: {len(accepted)}"]
    lines += [f"  {cell.case} at {cell.opset}: {cell.reason}" for cell in accepted]
    if grown := not_as_bare(results):
        lines.append(f"ours, no repair needed and yet other nodes than bare: {len(grown)}")
        lines += [f"  {a.case} at {a.opset}: {b.nodes} -> {a.nodes}" for a, b in grown]
    noted = {n: f["eager"] for n, f in results.cases.items() if f.get("eager")}
    weak = {n: f["weak"] for n, f in results.cases.items() if f.get("weak")}
    lines.append(
        f"{len(results.cases)} cases, {len(results.unsaved)} not saved, "
        f"{len(noted)} where eager Paddle differs from its own saved program, "
        f"{len(weak)} with weak outputs; {results.seconds:.0f} s"
    )
    return "\n".join(lines)


def not_as_bare(results: Results) -> list[tuple[Cell, Cell]]:
    """Cells that bare converts right and that ours needed no repair for, yet has other nodes."""
    bare = {(cell.case, cell.opset): cell for cell in results.of("bare")}
    return [
        (cell, other)
        for cell in results.of("ours")
        if cell.verdict in _GOOD
        and not cell.repairs
        and (other := bare.get((cell.case, cell.opset)))
        and other.verdict == cell.verdict
        and other.histogram != cell.histogram
    ]


def changes(old: Results, new: Results) -> str:
    """Every cell whose verdict changed, the bad news first."""
    before = {(cell.case, cell.tool, cell.opset): cell for cell in old.cells}
    worse, better = [], []
    for cell in new.cells:
        earlier = before.get((cell.case, cell.tool, cell.opset))
        if earlier is None or earlier.verdict == cell.verdict:
            continue
        line = (
            f"  {cell.case} {cell.tool} {cell.opset}: {earlier.verdict} -> {cell.verdict}"
            f" {cell.reason}"
        )
        rank = VERDICTS.index
        (worse if rank(cell.verdict) > rank(earlier.verdict) else better).append(line)
    return "\n".join(["", f"worse: {len(worse)}", *worse, f"better: {len(better)}", *better])
