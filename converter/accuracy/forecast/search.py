"""Which operators have to stay in float32: ranked by what they do alone, then a minimal set.

The minimal set is 1-minimal: with any one member in float16 the outputs fail. It is found by
taking the most sensitive operators until the outputs pass, and then leaving out whatever is not
needed, in halves (delta debugging: Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE TSE 28(2), 2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from converter.model.counting import count

#: Whether the outputs pass with these places in float32.
Passes = Callable[[Collection[int]], bool]

#: The error of the outputs with these places in float32.
Error = Callable[[Collection[int]], float]

#: Operators whose error alone is below this part of the whole are not told apart from each other.
_NEGLIGIBLE = 1e-2


def sensitivities(count: int, error: Error, tell: Callable[[str], None]) -> list[float]:
    """The error when one operator alone is in float16, for each of ``count``.

    Neighbours are looked at together first: those that do nothing together get their common error,
    and are not looked at one by one.
    """
    found = [0.0] * count
    everything = set(range(count))
    whole = error(())
    limit = _NEGLIGIBLE * whole if math.isfinite(whole) else 0.0
    done = 0
    # Segments of about sqrt(count): a graph with one bad operator takes 2 sqrt(count) runs.
    size = max(1, math.isqrt(count))
    pending = [range(at, min(at + size, count)) for at in range(0, count, size)][::-1]
    while pending:
        segment = pending.pop()
        value = error(everything.difference(segment))
        if len(segment) == 1 or value <= limit:
            for place in segment:
                found[place] = value
            done += len(segment)
            tell(f"sensitivity of {done} of {count} operators")
            continue
        middle = segment.start + len(segment) // 2
        pending += [range(middle, segment.stop), range(segment.start, middle)]
    return found


def minimal_set(
    ranking: Sequence[int], passes: Passes, tell: Callable[[str], None]
) -> tuple[int, ...] | None:
    """A 1-minimal set of places, out of ``ranking`` (most sensitive first), that passes.

    Empty where nothing has to be kept; None where the whole of ``ranking`` is not enough.
    """
    if passes(()):
        return ()
    if not passes(ranking):
        return None
    enough = _shortest_prefix(ranking, passes)
    kept = list(ranking[:enough])
    tell(_enough(kept))
    size = max(1, len(kept) // 2)
    while True:
        # From the least sensitive on: those are the ones most likely not needed.
        left_out = False
        at = len(kept)
        while at > 0:
            start = max(0, at - size)
            rest = kept[:start] + kept[at:]
            if len(rest) < len(kept) and passes(rest):
                kept = rest
                left_out = True
                tell(_enough(kept))
            at = start
        if size == 1 and not left_out:
            return tuple(sorted(kept))
        if size > 1:
            size //= 2


def _shortest_prefix(ranking: Sequence[int], passes: Passes) -> int:
    """How many of ``ranking`` are enough: doubled until they are, then halved back."""
    low, high = 0, 1
    while high < len(ranking) and not passes(ranking[:high]):
        low, high = high, min(2 * high, len(ranking))
    while high - low > 1:
        middle = (low + high) // 2
        if passes(ranking[:middle]):
            high = middle
        else:
            low = middle
    return high


def _enough(kept: Sequence[int]) -> str:
    verb = "is" if len(kept) == 1 else "are"
    return f"{count(len(kept), 'operator')} in float32 {verb} enough"
