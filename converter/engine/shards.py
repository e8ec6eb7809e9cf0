"""Splits the models of a recipe into parts for several machines, alike on each of them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

from converter.engine.schedule import bytes_of
from converter.errors import InputError
from converter.model.recipe import PlannedModel
from converter.model.result import Shard

#: What a conversion costs however small the model is, in bytes of model files.
_FIXED = 8 << 20


def parse_shard(text: str) -> tuple[int, int]:
    """``"2/4"`` -> ``(2, 4)``; raises ``InputError``. There are at most 999,999 parts."""
    match = re.fullmatch(r"0*([0-9]{1,6})/0*([0-9]{1,6})", text)
    index, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= index <= count:
        raise InputError(
            f"--shard {text!r} is not a part like 2/4",
            hint="the first of four machines gets --shard 1/4, the last --shard 4/4",
        )
    return index, count


def select(
    models: Sequence[PlannedModel], index: int, count: int
) -> tuple[list[PlannedModel], Shard]:
    """The models of part ``index`` of ``count``, in the order given, and what was split.

    Depends on nothing but the models' names and sizes, so that machines agree without talking.
    Variants of one model stay together, because they share Paddle's outputs. The heaviest go
    first, each to the part that has least so far.
    """
    groups: dict[str, list[PlannedModel]] = {}
    for model in models:
        groups.setdefault(str(model.source), []).append(model)
    weights = {
        source: (bytes_of(source) + _FIXED) * len(members) for source, members in groups.items()
    }
    first_name = {source: min(m.name for m in members) for source, members in groups.items()}
    loads = [(0, part) for part in range(count)]  # a heap: the part with the least comes first
    chosen: set[str] = set()
    for source in sorted(groups, key=lambda each: (-weights[each], first_name[each])):
        load, part = loads[0]
        heapq.heapreplace(loads, (load + weights[source], part))
        if part == index - 1:
            chosen.add(source)
    shard = Shard(index=index, count=count, models=tuple(model.name for model in models))
    return [model for model in models if str(model.source) in chosen], shard
