"""The growth of the error along the graph, as SVG: no script, no network, colours of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator

from markupsafe import Markup, escape

from converter.accuracy.locate.difference import OPERATOR_NOISE
from converter.model.located import GrowthPoint, LocateFacts

_WIDTH, _HEIGHT = 920, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 14, 40

#: Decades that are always shown.
_LOWEST, _HIGHEST = -9, 0


def growth_plot(facts: LocateFacts) -> Markup:
    """Accumulated errors as a line, operators' own errors as rings, the place marked."""
    return Markup("").join(_parts(facts))


def _parts(facts: LocateFacts) -> Iterator[Markup]:
    top = max([_HIGHEST, *(math.ceil(math.log10(e)) for e in _finite(facts))])
    top = min(top, 6)
    count = max(1, facts.pairs - 1)

    def x(point: GrowthPoint) -> float:
        return _LEFT + point.index / count * (_WIDTH - _LEFT - _RIGHT)

    def y(error: float) -> float:
        decade = top if math.isinf(error) else math.log10(max(error, 10.0**_LOWEST))
        share = (min(decade, top) - _LOWEST) / (top - _LOWEST)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    yield Markup(
        '<svg class="growth" viewBox="0 0 {} {}" role="img" aria-labelledby="growth-title">'
        '<title id="growth-title">Error of {} values in the order of the graph</title>'
    ).format(_WIDTH, _HEIGHT, len(facts.growth))
    for decade in range(_LOWEST, top + 1, 1 if top - _LOWEST <= 10 else 2):
        level = y(10.0**decade)
        yield Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">1e{}</text>'
        ).format(_LEFT, _WIDTH - _RIGHT, level, level, _LEFT - 8, level + 4, decade)
    noise = y(OPERATOR_NOISE)
    yield Markup(
        '<line class="noise" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text x="{}" y="{:.1f}" text-anchor="end">one operator\'s rounding (float32)</text>'
    ).format(_LEFT, _WIDTH - _RIGHT, noise, noise, _WIDTH - _RIGHT, noise - 5)
    line = " ".join(f"{x(point):.1f},{y(point.error):.1f}" for point in facts.growth)
    yield Markup('<polyline class="line" points="{}"/>').format(line)
    for point in facts.growth:
        here = facts.culprit is not None and point.tensor == facts.culprit.tensor
        own = "" if point.own is None else f", by itself {point.own:.1e}"
        title = f"{point.operator} {point.tensor}: {point.error:.1e}{own}"
        yield Markup(
            '<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>'
        ).format(
            "here" if here else "point", x(point), y(point.error), 5 if here else 2, escape(title)
        )
        if point.own is not None:
            yield Markup('<circle class="own" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(
                x(point), y(point.own)
            )
        if here:
            right = x(point) < _WIDTH * 0.7
            yield Markup(
                '<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
                '<text class="label" x="{3:.1f}" y="{4}" text-anchor="{5}">{6}</text>'
            ).format(
                x(point),
                _TOP,
                _HEIGHT - _BOTTOM,
                x(point) + (8 if right else -8),
                _TOP + 10,
                "start" if right else "end",
                point.operator,
            )
    yield Markup(
        '<text x="{}" y="{}">inputs</text>'
        '<text x="{}" y="{}" text-anchor="end">outputs</text></svg>'
    ).format(_LEFT, _HEIGHT - 14, _WIDTH - _RIGHT, _HEIGHT - 14)


def _finite(facts: LocateFacts) -> list[float]:
    return [p.error for p in facts.growth if math.isfinite(p.error) and p.error > 0]
