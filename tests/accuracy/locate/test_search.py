"""The search itself: what it compares, what it holds at once, and what it does without a value."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converter.accuracy.locate.onnx_pairs import onnx_pairs
from converter.accuracy.locate.pairs import Pairs
from converter.accuracy.locate.search import Found, Search
from converter.accuracy.onnx_values import OnnxValues

#: Elements of every value, and bytes of one.
SIZE = 4096
BYTES = 4 * SIZE


def chain(directory: Path, operators: Collection[str]) -> OnnxValues:
    """``v0 = first(x)``, ``v1 = second(v0)`` and so on."""
    nodes, before = [], "x"
    for index, operator in enumerate(operators):
        nodes.append(helper.make_node(operator, [before], [f"v{index}"], f"n{index}"))
        before = f"v{index}"
    return opened(directory, nodes, before)


def opened(directory: Path, nodes: Sequence[onnx.NodeProto], output: str) -> OnnxValues:
    """The file of nodes that make ``output`` of ``x`` and the number ``tiny``."""
    graph = helper.make_graph(
        nodes,
        "nodes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIZE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [SIZE])],
        [numpy_helper.from_array(np.float32(1e-7), "tiny")],
    )
    directory.mkdir()
    path = directory / "model.onnx"
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return OnnxValues(path, directory / "work")


class Source:
    """A reference that does not give ``withheld`` out and notes how much it was asked for."""

    def __init__(self, values: OnnxValues, withheld: Collection[str] = ()) -> None:
        self.values = values
        self.withheld = withheld
        self.most = 0

    def evaluate(self, keys, inputs, *, budget, sizes):
        found = dict(
            self.values.evaluate(
                [key for key in keys if key not in self.withheld],
                inputs,
                budget=budget,
                sizes=sizes,
            )
        )
        self.most = max(self.most, sum(value.nbytes for value in found.values()))
        yield from found.items()


def search(
    tmp_path: Path,
    reference: Collection[str],
    candidate: Collection[str],
    *,
    budget: int,
    withheld: Collection[str] = (),
) -> tuple[Search, Source]:
    one, other = chain(tmp_path / "one", reference), chain(tmp_path / "other", candidate)
    source = Source(one, withheld)
    pairs = Pairs(onnx_pairs(one, other, {"x": "x"}, {one.outputs[0]: one.outputs[0]}), other)
    x = {"x": np.linspace(-1, 1, SIZE).astype(np.float32)}
    return Search(source, pairs, x, x, budget=budget), source


def changed(operators: list[str], at: int) -> list[str]:
    return [*operators[:at], "Tanh", *operators[at + 1 :]]


#: What one does the next undoes, so that a fault is seen up to the end.
OPERATORS = ["Sinh", "Asinh"] * 20


@pytest.mark.parametrize("at", [0, 7, 19, 20, 30, 38, 39])
@pytest.mark.parametrize("held", [1, 2])
def test_halving_finds_a_fault_wherever_it_is(tmp_path: Path, at: int, held: int) -> None:
    """The sample may be one value in the middle: what comes after it counts as well."""
    searched, source = search(tmp_path, OPERATORS, changed(OPERATORS, at), budget=held * BYTES)
    found = searched.run()
    assert (found.index, found.method) == (at, "bisection")
    assert len(searched.errors) < len(OPERATORS)
    assert source.most <= max(searched.budget, 2 * BYTES)


def test_halving_a_model_without_a_fault_looks_at_its_outputs(tmp_path: Path) -> None:
    searched, _ = search(tmp_path, OPERATORS, OPERATORS, budget=BYTES)
    assert searched.run() == Found(None, method="bisection")
    assert len(OPERATORS) - 1 in searched.errors


@pytest.mark.parametrize("sized", [True, False])
def test_operators_by_themselves_are_held_within_the_budget(tmp_path: Path, sized: bool) -> None:
    budget = 4 * BYTES
    searched, source = search(tmp_path, OPERATORS, changed(OPERATORS, 25), budget=budget)
    if sized:
        names = [pair.tensor for pair in searched.pairs.all]
        searched._sizes = searched.candidate.sizes(names, searched.candidate_inputs)
    else:  # as where some node of the file cannot be run
        searched._sizes = {}
    searched.own_errors(range(len(OPERATORS)))
    assert [i for i in searched.own if searched.own[i].matters] == [25]
    assert BYTES < source.most <= budget


@pytest.mark.parametrize("budget", [BYTES, 1 << 20])
@pytest.mark.parametrize("at", [9, 10, 12])
def test_a_value_that_is_withheld_is_passed_through(tmp_path: Path, at: int, budget: int) -> None:
    """The operator after it is not charged with it: it is made of what that is made of."""
    searched, _ = search(
        tmp_path,
        OPERATORS,
        changed(OPERATORS, at),
        budget=budget,
        withheld=["v9", "v10", "v19", "v20"],
    )
    found = searched.run()
    # The first value after the fault that is given out, and the nodes from the last before.
    assert found.index == {9: 11, 10: 11, 12: 12}[at]
    nodes = [node.name for node in searched.pairs.region(found.index).nodes]
    assert nodes == {9: ["n9", "n10", "n11"], 10: ["n9", "n10", "n11"], 12: ["n12"]}[at]


def test_operators_by_themselves_need_no_value_that_is_withheld(tmp_path: Path) -> None:
    searched, _ = search(tmp_path, OPERATORS, OPERATORS, budget=1 << 20, withheld=["v9", "v10"])
    searched.own_errors(range(len(OPERATORS)))
    assert not any(own.matters for own in searched.own.values())
    assert searched.own.keys() == set(range(len(OPERATORS))) - {9, 10}  # of these nothing is said
    searched.failed = True
    assert searched.run().index is None
    assert searched.unjudged() == []  # they were computed as parts of the one after them


def test_an_output_that_is_withheld_is_told_to_be_unjudged(tmp_path: Path) -> None:
    last = f"v{len(OPERATORS) - 1}"
    wrong = changed(OPERATORS, len(OPERATORS) - 1)
    searched, _ = search(tmp_path, OPERATORS, wrong, budget=1 << 20, withheld=[last])
    searched.failed = True
    assert searched.run().index is None
    assert searched.unjudged() == [last]


@pytest.mark.parametrize("budget", [BYTES, 1 << 20])
def test_after_a_failure_every_operator_is_judged(tmp_path: Path, budget: int) -> None:
    """Nothing that was compared in halving differs: then the rest is looked at, too."""
    searched, _ = search(tmp_path, OPERATORS, OPERATORS, budget=budget)
    searched.failed = True
    assert searched.run() == Found(None, method="local scan")
    assert searched.unjudged() == []


@pytest.mark.parametrize(
    ("after", "place"),
    [
        (("Mul", "odd", "tiny"), "odd"),  # differs, too
        (("Relu", "odd"), None),  # does not: what differs is no longer there
    ],
)
def test_a_fault_that_outputs_show_less_than_rounding(
    tmp_path: Path, after: tuple[str, ...], place: str | None
) -> None:
    """Nothing that is compared in halving differs: operators by themselves do."""
    operator, *read = after
    nodes = [
        *(
            helper.make_node(op, [f"v{i - 1}" if i else "x"], [f"v{i}"])
            for i, op in enumerate(OPERATORS)
        ),
        helper.make_node("LeakyRelu", ["x"], ["odd"], alpha=0.1),
        helper.make_node(operator, read, ["odder"]),
        helper.make_node("Add", ["odder", f"v{len(OPERATORS) - 1}"], ["y"]),
    ]
    one = opened(tmp_path / "one", nodes, "y")
    nodes[-3].attribute[0].f = 0.4
    other = opened(tmp_path / "other", nodes, "y")
    pairs = Pairs(onnx_pairs(one, other, {"x": "x"}, {"y": "y"}), other)
    x = {"x": np.linspace(-1, 1, SIZE).astype(np.float32)}
    assert Search(one, pairs, x, x, budget=BYTES).run().index is None  # nobody says it differs
    searched = Search(one, pairs, x, x, failed=True, budget=BYTES)
    found = searched.run()
    assert found.method == "local scan"
    assert place == (None if found.index is None else pairs.all[found.index].tensor)
