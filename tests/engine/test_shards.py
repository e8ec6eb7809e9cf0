"""Shards: every model in exactly one, the same on every machine, none much heavier."""

from __future__ import annotations

import pytest

from converter.engine.shards import parse_shard, select
from converter.errors import InputError
from converter.model.recipe import PlannedModel


@pytest.fixture
def models(tmp_path):
    planned = []
    for index in range(20):
        source = tmp_path / f"m{index}"
        source.mkdir()
        (source / "inference.pdiparams").write_bytes(b"x" * (index * 1_000_000))
        planned += [
            PlannedModel(name=f"m{index}-opset{opset}", model=f"m{index}", source=source)
            for opset in (11, 13)
        ]
    return planned


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_every_model_is_in_one_shard(models, count):
    parts = [select(models, index, count)[0] for index in range(1, count + 1)]
    names = [model.name for part in parts for model in part]

    assert sorted(names) == sorted(model.name for model in models)


def test_variants_stay_together_and_order_does_not_matter(models):
    chosen, shard = select(models, 2, 3)
    turned, _ = select(models[::-1], 2, 3)

    assert {m.name for m in turned} == {m.name for m in chosen}
    assert {m.name.replace("13", "11") for m in chosen} == {
        m.name for m in chosen if m.name.endswith("11")
    }
    assert (shard.index, shard.count) == (2, 3)
    assert shard.models == tuple(m.name for m in models)


def test_shards_are_balanced(models):
    def weight(part):
        return sum((m.source / "inference.pdiparams").stat().st_size for m in part)

    loads = [weight(select(models, index, 4)[0]) for index in range(1, 5)]

    assert max(loads) < 1.25 * min(loads)


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="shard"):
        parse_shard(text)


def test_as_many_parts_as_anyone_may_ask_for(models):
    chosen, shard = select(models, 999_999, 999_999)

    assert not chosen
    assert shard.count == 999_999
