"""Numbers and names in words."""

from __future__ import annotations

import pytest

from converter.model.counting import NAMED, count, listed


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 models"), (1, "1 model"), (2, "2 models"), (1000, "1,000 models")]
)
def test_how_many(value: int, text: str) -> None:
    assert count(value, "model") == text


def test_the_first_of_many_names() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["n"] * NAMED) == "n, n, n, n, n"
    assert listed(["n"] * (NAMED + 1000)) == "n, n, n, n, n and 1,000 more"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
