"""Rows that belong together."""

import numpy as np
import paddle
import pytest

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
SEGMENTS = np.int64([0, 0, 1, 3, 3])  # none in 2
SOURCES, PLACES = np.int64([0, 4, 2, 2, 1, 0]), np.int64([1, 1, 1, 3, 0, 3])  # none to 2 and 4
MORE = np.float32([[1, np.inf, -3]] * 2)

OPSETS = pytest.mark.parametrize("opset", [11, 13, 17, 20])
KINDS = pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])


@OPSETS
@KINDS
def test_segments(check, kind, opset):
    pool = getattr(paddle.geometric, f"segment_{kind}")
    more = [[MORE, np.int64([1, 2])]] if kind in ("max", "min") else [[X[:1], SEGMENTS[:1]]]
    check(lambda x, i: pool(x, i), X, SEGMENTS, opset=opset, more=more)


@KINDS
def test_segments_of_planes_and_int32_numbers(check_case, kind):
    pool = getattr(paddle.geometric, f"segment_{kind}")
    planes = np.arange(40, dtype="float32").reshape(5, 4, 2)
    check_case((pool, [planes, SEGMENTS.astype("int32")], {"static": True}))


@pytest.mark.parametrize("kind", ["sum", "max"])
def test_segments_of_integers(check_case, kind):
    pool = getattr(paddle.geometric, f"segment_{kind}")
    check_case((pool, [np.int64([[3], [-7], [2], [-1], [-5]]), SEGMENTS]))


@OPSETS
@KINDS
def test_messages_along_edges(check, kind, opset):
    def forward(x, source, place):
        return paddle.geometric.send_u_recv(x, source, place, kind)

    check(forward, X, SOURCES, PLACES, opset=opset, more=[[X[::-1].copy(), PLACES, SOURCES]])


@pytest.mark.parametrize("size", [4, 9])
def test_messages_to_another_number_of_places(check_case, size):
    def forward(x, source, place):
        return paddle.geometric.send_u_recv(x, source, place, "mean", out_size=size)

    check_case((forward, [X, SOURCES.astype("int32"), PLACES.astype("int32")]))
