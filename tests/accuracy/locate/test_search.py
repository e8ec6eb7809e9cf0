"""The search on chains of small operators, with a budget that the values exceed."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.locate.onnx_pairs import onnx_pairs
from converter.accuracy.locate.pairs import Pairs
from converter.accuracy.locate.search import Search
from converter.accuracy.onnx_values import OnnxValues

#: Elements of a value, its bytes, and a budget that holds one of them but not two.
WIDTH = 256
BYTES = 4 * WIDTH
TIGHT = 3 * BYTES // 2

INPUTS = {"x": np.linspace(0.1, 1, WIDTH, dtype=np.float32)}


@pytest.fixture
def values(tmp_path):
    """Returns a function that makes a file of nodes from ``x`` to ``y`` and opens it."""

    def make(name, nodes, **constants):
        ends = [
            helper.make_tensor_value_info(each, TensorProto.FLOAT, [WIDTH]) for each in ("x", "y")
        ]
        tensors = [numpy_helper.from_array(np.float32(v), key) for key, v in constants.items()]
        graph = helper.make_graph(nodes, name, ends[:1], ends[1:], tensors)
        opset = helper.make_opsetid("", 13)
        path = tmp_path / f"{name}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
        return OnnxValues(path, tmp_path / name)

    return make


def chain(count, fault=None):
    """Sines and cosines from ``x`` to ``y``; at ``fault`` there is a hyperbolic tangent."""
    nodes, before = [], "x"
    for number in range(count):
        made = "y" if number == count - 1 else f"t{number}"
        kind = "Tanh" if number == fault else ("Cos", "Sin")[number % 2]
        nodes.append(helper.make_node(kind, [before], [made]))
        before = made
    return nodes


def search(reference, candidate, source=None, **options):
    pairs = Pairs(onnx_pairs(reference, candidate, {"x": "x"}, {"y": "y"}), candidate)
    return Search(source or reference, pairs, INPUTS, INPUTS, **options)


class Recording:
    """A source that leaves some values out, and notes what it was asked for at a time."""

    def __init__(self, values, without=()):
        self.values, self.without, self.asked = values, without, []

    def evaluate(self, keys, inputs, *, budget, sizes):
        keys = list(keys)
        self.asked.append(keys)
        given = [key for key in keys if key not in self.without]
        return self.values.evaluate(given, inputs, budget=budget, sizes=sizes)


@pytest.mark.parametrize("fault", [0, 8, 21, 30, 38, 39])
def test_bisection_finds_a_fault_wherever_it_is(values, fault):
    """The only value that fits into the budget lies before the last four."""
    at_work = search(
        values("one", chain(40)), values("other", chain(40, fault)), budget=TIGHT, failed=True
    )
    found = at_work.run()
    assert (found.index, found.method) == (fault, "bisection")
    assert len(at_work.errors) < 12


def test_when_no_value_looked_at_differs_all_operators_are_computed(values):
    """The gate failed, and what was compared agrees: the fault hardly reaches the output."""
    nodes = [
        *chain(40)[:5],
        helper.make_node("Mul", ["t4", "factor"], ["odd"]),
        helper.make_node("Mul", ["odd", "tiny"], ["odder"]),
        helper.make_node("Add", ["odder", "t4"], ["t5"]),
        *chain(40)[6:],
    ]
    files = [values(str(f), nodes, factor=f, tiny=1e-8) for f in (2, 3)]
    assert search(*files, budget=TIGHT).run().index is None  # nobody says that anything differs
    at_work = search(*files, budget=TIGHT, failed=True)
    found = at_work.run()
    assert found.index is not None
    assert (at_work.pairs.all[found.index].tensor, found.method) == ("odd", "local scan")


def test_when_nothing_is_found_every_operator_was_judged(values):
    at_work = search(values("one", chain(40)), values("two", chain(40)), budget=TIGHT, failed=True)
    assert at_work.run().index is None
    assert at_work.unjudged() == []


def test_operators_by_themselves_stay_within_the_budget(values):
    """Never more values at a time than the budget holds, or than one operator reads and makes."""
    one, other = values("one", chain(40)), values("other", chain(40))
    for budget, most in ((TIGHT, 2), (4 * BYTES, 4), (100 * BYTES, 17)):
        source = Recording(one)
        at_work = search(one, other, source, budget=budget)
        at_work.run()
        source.asked.clear()
        at_work.own_errors(range(40))
        assert max(map(len, source.asked)) == most
        assert len(at_work.own) == 40


def test_a_value_that_the_reference_does_not_give_out_is_no_verdict(values):
    """What reads it is computed together with it, from what it is made of."""
    one, other = values("one", chain(6)), values("other", chain(6))
    source = Recording(one, without={"t2", "t3"})
    at_work = search(one, other, source)
    at_work.own_errors(range(6))
    assert {*at_work.own} == {0, 1, 4, 5}
    assert all(own.error == 0 for own in at_work.own.values())
    assert [node.output[0] for node in at_work.pairs.region(4).nodes] == ["t2", "t3", "t4"]
    assert at_work.unjudged() == []  # they are a part of what was computed


@pytest.mark.parametrize("budget", [TIGHT, 100 * BYTES])
@pytest.mark.parametrize(("fault", "told"), [(2, 4), (4, 4), (5, 5)])
def test_the_search_goes_around_values_that_are_not_given_out(values, budget, fault, told):
    one, other = values("one", chain(30)), values("other", chain(30, fault))
    at_work = search(one, other, Recording(one, {"t2", "t3"}), budget=budget, failed=True)
    assert at_work.run().index == told


def test_an_output_that_is_not_given_out_is_told(values):
    one, other = values("one", chain(6)), values("other", chain(6, 5))
    at_work = search(one, other, Recording(one, without={"y"}), failed=True)
    assert at_work.run().index is None
    assert at_work.unjudged() == ["y"]


def test_a_node_that_cannot_run_is_found_within_the_budget(values):
    """The sizes of what comes before it are known all the same."""
    one, nodes = values("one", chain(40)), chain(40)
    nodes[30] = helper.make_node("Concat", ["t29"], ["t30"], axis=3)  # of one dimension
    source = Recording(one)
    at_work = search(one, values("other", nodes), source, budget=8 * BYTES, failed=True)
    found = at_work.run()
    assert (found.index, found.method) == (30, "local scan")
    assert found.own is not None and found.own.error == math.inf
    assert 1 < max(map(len, source.asked)) <= 8
