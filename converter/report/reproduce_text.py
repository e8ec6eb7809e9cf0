"""What ``paddle2om reproduce`` says: what differs before it runs, and every file afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from converter.model.reproduction import Reproduction, Surroundings, Verdict
from converter.report import format as fmt

_ORDER = (
    Verdict.DIFFERENT,
    Verdict.EDITED,
    Verdict.MISSING,
    Verdict.NEW,
    Verdict.NOT_REPRODUCED,
    Verdict.EQUAL,
)


def surroundings_lines(surroundings: Surroundings) -> Iterator[str]:
    """What is not as it was when the run was made; one line that says so when all is."""
    for tool in surroundings.tools:
        yield f"differs: {tool.name} was {tool.recorded or 'not there'}, here {tool.here or 'none'}"
    for source in surroundings.sources:
        yield f"differs: source {source.path} {source.state}, of {', '.join(source.models)}"
    for name in surroundings.edited:
        yield f"differs: {fmt.printable(name)} was edited since the run made it"
    for caution in surroundings.cautions:
        yield f"note: {caution}"
    if not (surroundings.tools or surroundings.sources):
        yield "sources, versions and platform are those of the run"


def reproduction_lines(reproduction: Reproduction) -> Iterator[str]:
    """Every file with its verdict, what differs first, and the sum."""
    width = max((len(file.verdict.value) for file in reproduction.files), default=0)
    for verdict in _ORDER:
        for file in reproduction.files:
            if file.verdict is not verdict:
                continue
            yield f"{verdict.value:<{width}}  {fmt.printable(file.path)}"
            for why in file.why:
                yield f"{'':<{width}}  {fmt.one_line(why)}"
    for model in reproduction.models:
        if model.recorded != model.now:
            told = f": {fmt.one_line(model.error)}" if model.error else ""
            yield f"{model.name} was {model.recorded}, and is {model.now} now{told}"
    yield summary_line(reproduction)


def summary_line(reproduction: Reproduction) -> str:
    """The run in one line."""
    counts = Counter(file.verdict for file in reproduction.files)
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in _ORDER if counts[verdict])
    total = fmt.count(len(reproduction.files), "file")
    if reproduction.interrupted:
        return f"interrupted: {total}: {told or 'nothing compared'}"
    if not reproduction.files:
        return "nothing to compare: the run made no file"
    if counts[Verdict.EQUAL] == len(reproduction.files) and reproduction.exit_code == 0:
        return f"reproduced: {total}, every byte equal"
    differs = any(verdict.differs for verdict in counts)
    differs |= any(model.recorded != model.now for model in reproduction.models)
    return f"{'not reproduced' if differs else 'reproduced in part'}: {total}: {told}"
