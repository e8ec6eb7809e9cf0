"""The accuracy gate: does the candidate (ONNX) compute what the reference (Paddle) computes?

Nothing passes vacuously. An output passes only when every check below was made and held; each is
written ``if not (metric <= tolerance)`` so that a NaN fails. The reasons name the numbers.

The checks of one output, in order:

1. both sides have it; its dtype is comparable and as expected; its shape is equal;
2. NaN, inf and -inf stand at the same positions;
3. floats: ``max|a-b| <= atol + rtol * max|b|`` over b's finite elements, column by column where
   the last axis is small (``columns``); integers and bools: equal, whatever the tolerance;
4. floats: ``cosine >= min_cosine``, unless ``rms(b) < DIRECTION_FLOOR``.

A detector's boxes are put in one order first (``boxes``): that of equal scores means nothing.

Over all cases, every output must have been compared with something: one that is empty or NaN
everywhere in every case fails the gate (``vacuous``), one that could hardly have differed is a
doubt (``doubts``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from converter.accuracy import boxes, metrics
from converter.accuracy.limits import Limits
from converter.accuracy.locate.difference import statistics
from converter.accuracy.measure import at, incomparable, measure
from converter.accuracy.metrics import Array
from converter.accuracy.verdict import Verdict, judge
from converter.model.comparison import CaseComparison, OutputComparison
from converter.model.counting import count
from converter.model.tolerance import Tolerance

#: ``reason`` of an output that passed although the comparison could hardly have failed.
WEAK_EMPTY = "weak: the output has no elements"
WEAK_NAN = "weak: the reference is NaN everywhere"
WEAK_INFINITE = "weak: the reference has no finite number"
WEAK_RANDOM = "weak: drawn at random, only shape, dtype and range compared"
WEAK_CONSTANT = "weak: the reference is constant"
WEAK_SMALL = "weak: the reference is within atol of zero"


def compare_output(
    name: str,
    reference: Array | None,
    candidate: Array | None,
    tolerance: Tolerance | None = None,
    *,
    limits: Limits | None = None,
    expected_dtype: str | None = None,
    random: bool = False,
) -> OutputComparison:
    """Compare one output; None for a side that lacks it.

    ``tolerance`` is what floats are judged by, None for the dtype's default; ``limits`` says more.
    Integers and bools are compared exactly whatever is given, unless ``min_exact`` is.
    ``expected_dtype`` is what the candidate must have when that is not the reference's dtype.
    ``random`` outputs are drawn anew in each run: their shape, dtype, NaN/Inf pattern and range are
    compared and nothing else. Where shapes make a comparison impossible, ``elements`` is 0 and the
    metrics are NaN.

    Raises ``InputError`` for a tolerance that is no tolerance (NaN, negative, infinite).
    """
    limits = limits or Limits(tolerance)
    limits.check(name)
    if reference is None or candidate is None:
        side = "the reference" if reference is None else "the candidate"
        return incomparable(name, reference, candidate, f"output {name!r} is missing in {side}")
    if not (metrics.is_comparable(reference.dtype) and metrics.is_comparable(candidate.dtype)):
        reason = f"dtype {reference.dtype} against {candidate.dtype} cannot be compared"
        return incomparable(name, reference, candidate, reason)
    if reference.shape != candidate.shape:
        return incomparable(name, reference, candidate, _shape_reason(reference, candidate))
    tolerance = limits.of(name, reference.dtype)
    if random:
        return _compare_random(name, reference, candidate)
    facts = measure(name, reference, candidate)
    verdict = Verdict("", None, None)
    expected = expected_dtype or reference.dtype.name
    mismatches, first = metrics.pattern_mismatch(reference, candidate)
    if candidate.dtype.name != expected:
        reason = f"dtype is {candidate.dtype.name}, expected {expected}"
        verdict = Verdict(reason, None, None)
    elif mismatches:
        reason = (
            f"NaN/Inf pattern differs at {mismatches} of {reference.size} positions, "
            f"first {at(reference, candidate, first)}"
        )
        verdict = Verdict(reason, None, None)
    else:
        verdict = judge(facts, reference, candidate, tolerance)
    passed = not verdict.reason
    return facts.model_copy(
        update={
            "passed": passed,
            "reason": _weakness(reference, tolerance) if passed else verdict.reason,
            "passing_atol": verdict.passing_atol,
            "passing": verdict.passing,
            "tolerance": tolerance,
        }
    )


def compare_case(
    label: str,
    input_shapes: Mapping[str, tuple[int, ...]],
    seed: int,
    reference: Mapping[str, Array],
    candidate: Mapping[str, Array],
    tolerance: Tolerance | None = None,
    *,
    limits: Limits | None = None,
    random: Collection[str] = (),
    any_width: bool = False,
) -> CaseComparison:
    """Compare all outputs by name, in the reference's order; those only one side has fail.

    ``tolerance`` and ``limits`` are as for ``compare_output``; ``random`` names outputs. With
    ``any_width`` a float output may have another width than the reference's, and is compared by
    value, without a cast that could hide anything: ``--output_type`` says what an OM file gives.
    """
    limits = limits or Limits(tolerance)

    def compare(name: str) -> OutputComparison:
        sides = reference.get(name), candidate.get(name)
        pairs = paired if paired and name == boxes_name else None
        if pairs:
            sides = pairs.reference, pairs.candidate
        compared = compare_output(
            name,
            *sides,
            limits=limits,
            expected_dtype=_other_width(*sides) if any_width else None,
            random=name in random,
        )
        if not pairs:
            return compared
        changes = {"shape": reference[name].shape, "moved": pairs.moved, "unpaired": pairs.unpaired}
        return compared.model_copy(update=changes)

    names = [*reference, *(name for name in candidate if name not in reference)]
    boxes_name, paired = _pair_boxes(reference, candidate, limits)
    case = CaseComparison(
        label=label,
        input_shapes=dict(input_shapes),
        seed=seed,
        outputs=tuple(compare(name) for name in names),
        passed=False,
    )
    return case.model_copy(update={"passed": not _problem(case)})


def _other_width(reference: Array | None, candidate: Array | None) -> str | None:
    """The candidate's dtype where both are floats."""
    if reference is None or candidate is None:
        return None
    return candidate.dtype.name if reference.dtype.kind == candidate.dtype.kind == "f" else None


def _pair_boxes(
    reference: Mapping[str, Array],
    candidate: Mapping[str, Array],
    limits: Limits,
) -> tuple[str, boxes.Paired | None]:
    """The name of a detector's boxes and their pairing, when there are any and they need one."""
    found = boxes.find_boxes(reference)
    if found is None or any(name not in candidate for name in found):
        return "", None
    rows, counts = found
    if not np.array_equal(reference[counts], candidate[counts]):
        return "", None
    tolerance = limits.of(rows, reference[rows].dtype)
    return rows, boxes.pair(reference[rows], candidate[rows], reference[counts], tolerance)


def gate(cases: Sequence[CaseComparison]) -> tuple[bool, str]:
    """Return whether all cases pass, and a sentence with the numbers why or why not.

    Of several failures it quotes the one with the largest difference, as the tables do.
    Cases are judged by their outputs again; their own ``passed`` can only make the verdict worse.
    """
    if not cases:
        return False, "no cases were compared"
    failed = sorted((case for case in cases if _problem(case)), key=_worst_difference, reverse=True)
    problems = [f"case {case.label!r}: {_problem(case)}" for case in failed]
    problems += [
        f"case {case.label!r} is marked as failed"
        for case in cases
        if not case.passed and not _problem(case)
    ]
    if problems:
        return False, f"{len(problems)} of {len(cases)} cases failed; {problems[0]}"
    if nothing := vacuous(cases):
        return False, nothing
    outputs = [output for case in cases for output in case.outputs]
    # Outputs drawn at random have no max_abs.
    worst = max((o.max_abs for o in outputs if o.reason != WEAK_RANDOM), default=0.0)
    compared = sum(output.elements for output in outputs)
    told = f"{count(len(cases), 'case')} passed, {compared} elements"
    return True, f"{told}, worst max_abs {worst:.3g}"


def vacuous(cases: Sequence[CaseComparison]) -> str:
    """Say which output was compared with nothing in any case, "" when there is none.

    Such an output is empty, or NaN everywhere in the reference, in every case. "" also when some
    output failed: that is then the reason.
    """
    if not all(output.passed for case in cases for output in case.outputs):
        return ""
    for name, found in _weak_outputs(cases).items():
        if found == {WEAK_EMPTY}:
            return f"output {name!r} is empty in every case: nothing was compared"
        if found <= {WEAK_EMPTY, WEAK_NAN}:
            return (
                f"the reference's own output {name!r} is NaN everywhere in every case: "
                "no number was compared"
            )
    return ""


def doubts(cases: Sequence[CaseComparison]) -> list[str]:
    """Say which outputs passed in comparisons that could hardly have failed.

    An output is weak when no case says more about it than its ``WEAK_*`` reason. A constant integer
    or bool output, a shape for example, is a doubt only when no other output says more.
    """
    weak = _weak_outputs(cases)
    dtypes = {output.name: output.dtype for case in cases for output in case.outputs}
    if weak and weak.keys() == dtypes.keys():
        every = {reason for reasons in weak.values() for reason in reasons}
        what = (
            "constant"
            if every == {WEAK_CONSTANT}
            else "empty, constant, NaN, infinite or within atol of zero"
        )
        return [f"every reference output is {what}: this comparison proves little"]
    return [
        f"output {name!r} proves little in every case: {', '.join(sorted(reasons))}"
        for name, reasons in weak.items()
        if "float" in dtypes[name]
    ]


def warnings(cases: Iterable[CaseComparison]) -> list[str]:
    """Say where the reference has NaN."""
    texts = [
        f"output {output.name!r}: {output.nan_reference} of {output.elements} "
        "reference elements are NaN"
        for case in cases
        for output in case.outputs
        if output.nan_reference
    ]
    return list(dict.fromkeys(texts))


def reorderings(cases: Iterable[CaseComparison]) -> list[str]:
    """Say where boxes of equal score were compared in another order."""
    return [
        f"output {output.name!r} on {case.label}: {output.moved} of {output.shape[0]} boxes stand "
        "elsewhere, among boxes whose scores are equal within the tolerance"
        + (f"; {output.unpaired} at the cut-off are others" if output.unpaired else "")
        for case in cases
        for output in case.outputs
        if output.moved or output.unpaired
    ]


def jumps(cases: Iterable[CaseComparison]) -> list[str]:
    """Say where Paddle's answer jumps, so that its answer to a nearby input was compared."""
    return [
        f"on {case.label} Paddle's own answer jumps when the input changes by {case.nearby:.1g} of "
        "itself; the ONNX model gives what Paddle gives to such an input"
        for case in cases
        if case.nearby
    ]


def open_orders(cases: Iterable[CaseComparison]) -> list[str]:
    """Say that the model agrees with Paddle's stable sort of equal values, and not with its own."""
    if not any(case.stable for case in cases):
        return []
    return [
        "Paddle sorts equal values here (argsort with stable=False), and promises no order for "
        "them: the ONNX model agrees with Paddle's own stable sort, not with its unstable one"
    ]


def _weak_outputs(cases: Iterable[CaseComparison]) -> dict[str, set[str]]:
    """The outputs that passed weakly in every case, with the reasons."""
    found: dict[str, set[str]] = {}
    for output in (output for case in cases for output in case.outputs):
        weak = output.passed and output.reason
        found.setdefault(output.name, set()).add(output.reason if weak else "")
    return {name: reasons for name, reasons in found.items() if "" not in reasons}


#: Fewer draws than this say nothing about a range.
_ENOUGH_DRAWS = 32

#: Extremes of two draws differ by less than so many times the width of one: 32 draws of an
#: exponential distribution differ by up to 2.7 widths in 2,000 pairs.
_WIDTHS = 4

#: Of fewer distinct values than this nothing is said of how far they spread.
_MANY_VALUES = 16

#: Standard deviations of as many draws of one distribution differ by less than this factor.
_SPREADS = 4.0

#: So many times the largest draw is no draw any more, however few there are.
_FAR = 1e3


def _compare_random(name: str, reference: Array, candidate: Array) -> OutputComparison:
    """Compare what two draws of one distribution share; their difference means nothing."""
    facts = incomparable(name, reference, candidate, "")
    low, high = metrics.value_range(reference)
    found = metrics.value_range(candidate)
    room = _WIDTHS * (high - low)
    reason = WEAK_RANDOM if reference.size else WEAK_EMPTY
    if candidate.dtype != reference.dtype:
        reason = f"dtype is {candidate.dtype.name}, expected {reference.dtype.name}"
    elif (facts.nan_reference > 0) != (facts.nan_candidate > 0) or (
        (facts.inf_reference > 0) != (facts.inf_candidate > 0)
    ):
        reason = "random values have NaN or Inf on one side only"
    elif _has_numbers(reference) != _has_numbers(candidate):
        reason = "random values are NaN or Inf everywhere on one side only"
    elif not (found[0] >= low - room and found[1] <= high + room) and (
        reference.size >= _ENOUGH_DRAWS or _is_far(found, (low, high))
    ):
        reason = (
            f"random values range over [{found[0]:.6g}, {found[1]:.6g}], "
            f"Paddle's over [{low:.6g}, {high:.6g}]"
        )
    elif reference.size >= _ENOUGH_DRAWS and (told := _other_spread(reference, candidate)):
        reason = told
    passed = reason in (WEAK_RANDOM, WEAK_EMPTY)
    return facts.model_copy(update={"elements": reference.size, "passed": passed, "reason": reason})


def _is_far(found: tuple[float, float], known: tuple[float, float]) -> bool:
    """Whether some number is larger than no two draws of one distribution can make it."""
    return max(map(abs, found)) > _FAR * max(1.0, *map(abs, known))


def _other_spread(reference: Array, candidate: Array) -> str:
    """Say where two draws of many values spread by other amounts, "" where they do not."""
    if len(np.unique(reference.reshape(-1)[: metrics.CHUNK])) < _MANY_VALUES:
        return ""  # coins: all may fall on one side
    spread, other = (statistics(draws).std for draws in (reference, candidate))
    if spread / _SPREADS <= other <= spread * _SPREADS:
        return ""
    return f"random values spread by {other:.6g} (standard deviation), Paddle's by {spread:.6g}"


def _has_numbers(tensor: Array) -> bool:
    return metrics.count_nan(tensor) + metrics.count_inf(tensor) < tensor.size


def _weakness(reference: Array, tolerance: Tolerance) -> str:
    """Why a pass says little about this output, "" when it says something."""
    if not reference.size:
        return WEAK_EMPTY
    if metrics.count_nan(reference) == reference.size:
        return WEAK_NAN
    if not _has_numbers(reference):
        return WEAK_INFINITE
    if reference.size > 1 and metrics.is_constant(reference):
        return WEAK_CONSTANT
    exact = metrics.is_integral(reference.dtype)
    if exact or metrics.count_inf(reference) or metrics.peak(reference) > tolerance.atol:
        return ""
    return WEAK_SMALL


def _problem(case: CaseComparison) -> str:
    """Why a case fails, "" when it passes."""
    if not case.outputs:
        return "the models have no outputs to compare"
    failed = [output for output in case.outputs if not output.passed]
    if failed:
        worst = max(failed, key=_difference)
        return f"output {worst.name!r}: {worst.reason}"
    return ""


def _worst_difference(case: CaseComparison) -> float:
    """The largest difference of a failed output; infinite where there was none to compare."""
    failed = [_difference(output) for output in case.outputs if not output.passed]
    return max(failed, default=math.inf)


def _difference(output: OutputComparison) -> float:
    """The largest difference of an output; no number is worse than any."""
    return math.inf if math.isnan(output.max_abs) else output.max_abs


def _shape_reason(reference: Array, candidate: Array) -> str:
    shapes = f"reference {list(reference.shape)}, candidate {list(candidate.shape)}"
    if {reference.shape, candidate.shape} == {(), (1,)}:
        return f"shape differs: one side is 0-D, the other has one axis of extent 1 ({shapes})"
    if reference.ndim != candidate.ndim:
        return f"rank differs: {reference.ndim} against {candidate.ndim} ({shapes})"
    return f"shape differs: {shapes}"
