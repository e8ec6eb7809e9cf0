"""Signatures: what two forms of one model take in common."""

from __future__ import annotations

import pytest

from converter.model.tensor import Dim, TensorSpec, narrowed

Shape = tuple[Dim, ...]


def specs(*shapes: Shape) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=f"x{place}", dtype="float32", shape=shape)
        for place, shape in enumerate(shapes)
    )


@pytest.mark.parametrize(
    ("mine", "others", "common"),
    [
        ([("n", 3)], [("m", 3)], [("n", 3)]),
        ([("n", 3)], [(1, 3)], [(1, 3)]),
        ([(2, 3)], [(1, 3)], [(2, 3)]),
        ([("n", 3), ("n", "k")], [(1, 3), ("n", "k")], [(1, 3), (1, "k")]),
        ([("n", 3), ("n", "k")], [(1, 3), (4, "k")], [(1, 3), (4, "k")]),
        ([("n", 3)], [(1, 3, 1)], [("n", 3)]),
        ([()], [()], [()]),
    ],
)
def test_extents_that_the_other_fixes_are_taken_over(
    mine: list[Shape], others: list[Shape], common: list[Shape]
) -> None:
    assert [spec.shape for spec in narrowed(specs(*mine), specs(*others))] == common
