"""Which outputs depend on numbers that are drawn anew in each run.

Their values cannot be compared: two runs of Paddle itself differ.
"""

from __future__ import annotations

from collections.abc import Iterable

from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    result_ids,
    walk_operations,
)

#: Operators that draw (Paddle's ``paddle.tensor.random``, dropout and sampling operators).
_DRAWS = frozenset(
    f"pd_op.{name}"
    for name in (
        "bernoulli",
        "binomial",
        "class_center_sample",
        "dirichlet",
        "exponential",
        "gaussian",
        "gaussian_inplace",
        "gumbel_softmax",
        "multinomial",
        "poisson",
        "randint",
        "randperm",
        "shuffle_batch",
        "standard_gamma",
        "top_p_sampling",
        "truncated_gaussian_random",
        "uniform",
        "uniform_inplace",
        "uniform_random_batch_size_like",
    )
)

#: Operators that draw unless this attribute says that the model is in use, not in training.
_DRAWS_IN_TRAINING = {
    "pd_op.dropout": "is_test",
    "pd_op.fused_dropout_add": "is_test",
    "pd_op.rrelu": "is_test",
}


#: Operators that look at the extents of their operand alone.
_SHAPE_ONLY = frozenset(
    f"pd_op.{name}"
    for name in ("shape", "shape64", "numel", "full_like", "zeros_like", "ones_like")
)


def may_draw(operators: Iterable[str]) -> bool:
    """Whether a program of these operators, by name, may draw at all: else it need not be read."""
    names = {name.rstrip("_") for name in operators}
    return not names.isdisjoint(_DRAWS | _DRAWS_IN_TRAINING.keys())


def random_outputs(document: JsonObject) -> tuple[str, ...]:
    """Names of the outputs that a random operator has an influence on, in program order."""
    tainted = random_values(document)
    return tuple(
        str(attribute(operation, "name"))
        for operation in walk_operations(document)
        if operation_name(operation) == "pd_op.fetch"
        and not tainted.isdisjoint(operand_ids(operation))
    )


def random_values(document: JsonObject) -> set[int]:
    """The values that a random operator has an influence on, by number."""
    tainted: set[int] = set()
    # Blocks come after their operator, so go over the program until nothing changes.
    before = -1
    while before != len(tainted):
        before = len(tainted)
        for operation in walk_operations(document):
            random = _draws(operation) or _has_draws_inside(operation)
            random = random or not tainted.isdisjoint(_reads(operation))
            if random and operation_name(operation) not in _SHAPE_ONLY:
                tainted.update(result_ids(operation))
    return tainted


def _reads(operation: JsonObject) -> set[int]:
    """What an operator and those in its blocks read."""
    inside = {"regions": operation.get("regions", [])}
    return {v for one in (operation, *walk_operations(inside)) for v in operand_ids(one)}


def _draws(operation: JsonObject) -> bool:
    name = operation_name(operation).rstrip("_")
    if name in _DRAWS_IN_TRAINING:
        return not attribute(operation, _DRAWS_IN_TRAINING[name])
    return name in _DRAWS


def _has_draws_inside(operation: JsonObject) -> bool:
    """Whether an operator of its blocks draws."""
    if "regions" not in operation:
        return False
    return any(map(_draws, walk_operations({"regions": operation["regions"]})))
