"""Declared types that are not what Paddle computes."""

from converter.bridge.true_types import TrueTypes
from converter.model.pir_document import result_types


def _value(number, code, shape):
    return {"%": number, "TT": {"#": "0.t_dtensor", "D": [{"#": code}, shape, "NCHW", [], 0]}}


def _program(operator, result, attributes=()):
    operations = [
        {"#": "1.data", "A": [], "I": [], "O": [_value(1, "0.t_f32", [2, 4, 4])]},
        {"#": operator, "A": list(attributes), "I": [{"%": 1}], "O": [result]},
        {"#": "1.fetch", "A": [], "I": [{"%": 2}], "O": [{**result, "%": 3}]},
    ]
    return {"program": {"regions": [{"blocks": [{"ops": operations}]}]}}


def _types(program):
    operations = program["program"]["regions"][0]["blocks"][0]["ops"]
    return [next(iter(result_types(json).values())) for json in operations[1:]]


def test_bools_are_declared_where_made_and_fetched():
    program = _program("1.equal_all", _value(2, "0.t_f32", []))
    assert TrueTypes().apply(program) == 1
    assert [kind.dtype for kind in _types(program)] == ["bool", "bool"]
    assert TrueTypes().apply(program) == 0


def test_slogdet_is_a_pair():
    program = _program("1.slogdet", _value(2, "0.t_f32", [2, 4, 4]))
    assert TrueTypes().apply(program) == 1
    assert [tuple(kind.shape) for kind in _types(program)] == [(2, 2), (2, 2)]


def test_others_stay():
    program = _program("1.relu", _value(2, "0.t_f32", [2, 4, 4]))
    assert TrueTypes().apply(program) == 0
