from __future__ import annotations

import pytest

from converter.errors import InputError
from converter.model.tolerance import (
    ToleranceOverride,
    check_names,
    override_for,
    parse_tolerances,
)


def test_limits_are_merged_by_name_and_pattern() -> None:
    found = parse_tolerances(
        [
            "softmax_*:atol=1e-4,rtol=0",
            "atol=1",
            "softmax_0.tmp_0:rtol=0.5",
            "softmax_0.tmp_0:max_ulp=3",
        ]
    )
    assert override_for("softmax_0.tmp_0", found).given == {"atol": 1, "rtol": 0.5, "max_ulp": 3}
    assert override_for("softmax_1", found).given == {"atol": 1, "rtol": 0}
    assert override_for("other", found).given == {"atol": 1}


def test_a_name_wins_over_patterns_wherever_it_stands() -> None:
    found = parse_tolerances(["y:atol=1", "*:atol=2"])
    assert override_for("y", found).given == {"atol": 1}


def test_a_name_may_hold_what_looks_like_a_pattern_or_a_colon() -> None:
    found = parse_tolerances(["scope:out[0]:atol=1"])
    assert override_for("scope:out[0]", found).given == {"atol": 1}


def test_max_abs_is_a_users_word_for_atol() -> None:
    assert ToleranceOverride.model_validate({"max_abs": 0.25}) == ToleranceOverride(atol=0.25)
    assert parse_tolerances(["max_abs=0.25"])["*"].atol == 0.25


@pytest.mark.parametrize(
    "text",
    ["", "y", "y:", "y:atol", "y:atol=", "y:atol=x", ":atol=1", "y:=1", "y:atol=1,atol=2",
     "y:atol=1,,rtol=1", "y:atol=-1", "y:atol=nan", "y:atol=inf", "y:min_cosine=1.5",
     "y:min_top1=2", "y:min_exact=-0.1", "y:nosuch=1", "y:atol=1,max_abs=2"],
)  # fmt: skip
def test_what_is_no_tolerance_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="tolerance"):
        parse_tolerances([text])


def test_a_name_that_no_output_has_is_refused() -> None:
    found = parse_tolerances(["softmax:atol=1", "none_*:atol=1"])
    check_names(found, ["softmax"])
    with pytest.raises(InputError, match="'softmax', which is not an output") as error:
        check_names(found, ["logits"])
    assert "logits" in error.value.hint
