"""The flags that compare a run with a baseline, and write it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.cli.views import Views
from converter.errors import InputError
from converter.report.baseline import read_baseline
from tests.report.report_builders import good, run


def flags(path: Path | None, *, update: bool, prune: bool = False) -> Views:
    return Views.checked(None, None, path, update, prune)


def test_the_report_tells_what_an_update_kept_and_what_it_dropped(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    flags(path, update=True).write(run([good("a"), good("b")]), tmp_path)

    of_one = flags(path, update=True).write(run([good("a")]), tmp_path)
    assert of_one.baseline is not None
    assert of_one.baseline.kept == ("b",)
    assert list(read_baseline(path).models) == ["a", "b"]

    pruned = flags(path, update=True, prune=True).write(run([good("a")]), tmp_path)
    assert pruned.baseline is not None
    assert pruned.baseline.dropped == ("b",)
    assert list(read_baseline(path).models) == ["a"]


@pytest.mark.parametrize(
    ("update", "prune", "words"),
    [(True, False, "--update-baseline without"), (False, True, "--prune-baseline without")],
)
def test_flags_that_would_write_nothing(update: bool, prune: bool, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        flags(None, update=update, prune=prune)
    assert refused.value.hint
