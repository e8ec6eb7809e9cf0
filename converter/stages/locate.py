"""Finds where an ONNX file first computes something else than what it was made from."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.accuracy.array_files import read_npz, recorded_inputs
from converter.accuracy.gate import compare_case, vacuous
from converter.accuracy.locate.bundle import write_bundle
from converter.accuracy.locate.causes import covers, describe_node, find_causes
from converter.accuracy.locate.difference import OPERATOR_NOISE, difference, statistics
from converter.accuracy.locate.pairs import Pairs
from converter.accuracy.locate.search import Found, Search
from converter.accuracy.nearby import agree_nearby
from converter.accuracy.onnx_values import OnnxValues
from converter.accuracy.sides import check_comparable
from converter.accuracy.user_data import checked_inputs
from converter.errors import GateError, InputError, StageError
from converter.model import onnx_file
from converter.model.comparison import CaseComparison
from converter.model.located import BUNDLE, Culprit, GrowthPoint, LocateFacts, OutputError
from converter.model.memory import release_unused_memory
from converter.model.tensor import TensorSpec
from converter.stages.job import Job
from converter.stages.locate_sides import LocateCase, OnnxSide, PaddleSide, Side
from converter.stages.stage import Outcome, Stage
from converter.stages.validate import limits_of

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Judged:
    """One case: the candidate's outputs under the reference's names, and how far they are off.

    ``compared`` is None where the candidate did not run; ``refused`` then says why.
    """

    case: LocateCase
    outputs: tuple[OutputError, ...]
    compared: CaseComparison | None = None
    refused: str = ""

    @property
    def passed(self) -> bool:
        """Whether the gate lets every output pass."""
        return all(output.passed for output in self.outputs)


class LocateStage(Stage):
    """Compares outputs, then searches the case that fails, or the first if none does."""

    name = "locate"

    def run(self, job: Job) -> Outcome:
        """Search; the facts say what was found, or that nothing differs."""
        assert job.task.candidate is not None
        job.files.clear()  # inspect's copies are for conversions
        path = Path(job.task.candidate)
        facts = onnx_file.describe_file(path)
        check_comparable(path, facts)
        side: Side = PaddleSide(job) if job.model is not None else OnnxSide(job)
        inputs = _matched("inputs", [spec.name for spec in facts.inputs], side.inputs)
        outputs = _matched("outputs", [spec.name for spec in facts.outputs], side.outputs)
        candidate = OnnxValues(path, job.work_dir / "candidate", threads=job.options.threads)
        side.narrow(facts, inputs)
        judged = self._judge(job, side, candidate, facts, inputs, outputs)
        job.close_sessions()
        release_unused_memory()
        side.prepare(facts, inputs, outputs)
        release_unused_memory()
        pairs = Pairs(side.pairs(candidate), candidate)
        if not pairs.all:
            raise StageError(
                "none of the values inside the two models could be paired: "
                f"{path.name} has other names than an export of this model",
                hint="give an ONNX file that paddle2onnx or paddle2om made of this model",
            )
        search = Search(
            side.source(),
            pairs,
            judged.case.inputs,
            _fed(judged.case, inputs, facts),
            failed=not judged.passed,
            tell=job.tell,
        )
        found = search.run()
        culprit = None
        if judged.refused and found.index is None:
            # Each operator by itself computes what it should: it is the inputs that do not fit.
            raise StageError(
                f"{path.name} was not compared: {judged.refused}",
                hint="give inputs that both take with --inputs FILE.npz",
            )
        if found.index is not None:
            culprit = self._culprit(job, side, search, found, with_bundle=not judged.passed)
        located = LocateFacts(
            reference=side.label,
            candidate=path.name,
            opset=facts.opset,
            input_shapes={name: array.shape for name, array in judged.case.inputs.items()},
            case=judged.case.label,
            outputs=judged.outputs,
            pairs=len(pairs),
            measured=len(search.errors.keys() | search.own.keys()),
            unjudged=0 if culprit or judged.passed else len(search.unjudged()),
            tensors=len(candidate.names),
            method=found.method,
            growth=_growth(search),
            culprit=culprit if not judged.passed else None,
            quiet=_quiet(culprit) if judged.passed and culprit else "",
            bundle=BUNDLE if culprit and not judged.passed else None,
        )
        return Outcome(facts=located)

    def ensures(self, job: Job, outcome: Outcome) -> None:
        """Nothing differs; ``GateError`` names the place where something does."""
        facts = outcome.facts
        assert isinstance(facts, LocateFacts)
        if not facts.diverges:
            return
        if facts.culprit is None:
            raise GateError(
                f"the outputs differ, and {_unlocated(facts)}",
                hint="-o DIR writes a report with the growth of the error"
                if job.task.fleeting
                else "see the growth of the error in the report",
            )
        cause = facts.culprit.causes[0] if facts.culprit.causes else "cause not told by the graph"
        raise GateError(
            f"{facts.culprit.operator} is the first to differ, at node "
            f"{_told(facts.culprit)}: {cause}",
            hint="-o DIR writes a report and a bundle that shows the difference by itself"
            if job.task.fleeting
            else f"python {Path(job.task.destination, BUNDLE, 'repro.py')} shows it by itself",
        )

    def _judge(
        self,
        job: Job,
        side: Side,
        candidate: OnnxValues,
        facts: onnx_file.OnnxFacts,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
    ) -> Judged:
        """The first case whose outputs differ; the first of all when none does.

        The file is run as ONNX Runtime optimises it, and as it is: its fusions can hide a fault
        (the pattern of a layer norm is recognised with the operands of its ``Div`` swapped).
        """
        assert job.task.candidate is not None
        path = Path(job.task.candidate)
        first: Judged | None = None
        compared: list[CaseComparison] = []
        for case in side.cases(_given(job, side.specs)):
            fed = _fed(case, inputs, facts)
            try:
                made = onnx_file.run(job.session(path), fed)
                plain = dict(candidate.evaluate(outputs.keys() & set(candidate.names), fed))
            except StageError as error:
                failed = tuple(
                    OutputError(name=name, error=math.inf, passed=False, reason=error.message)
                    for name in side.outputs
                )
                return Judged(case, failed, refused=error.message)
            for found in (made, made | plain):
                named = {theirs: found[ours] for ours, theirs in outputs.items()}
                judged = _compare(case, named, job, side.random)
                if not judged.passed:
                    return judged
                first = first or judged
                if judged.compared is not None:
                    compared.append(judged.compared)
        nothing = vacuous(compared) if compared else "there are no cases"
        if first is None or nothing:
            raise StageError(
                f"nothing was compared: {nothing}",
                hint="give inputs that lead to a result with --inputs FILE.npz",
            )
        return first

    def _culprit(
        self, job: Job, side: Side, search: Search, found: Found, *, with_bundle: bool
    ) -> Culprit:
        assert found.index is not None and found.own is not None
        index = found.index
        pair = search.pairs.all[index]
        nodes = search.pairs.region(index).nodes
        values = search.reference_values(index)
        given = search.given(index, values)
        value = values[pair.key]
        node, causes = _causes(nodes, search.pairs, side)
        node = node if node is not None else nodes[-1]
        made = None
        with contextlib.suppress(StageError):
            ((_, made),) = search.candidate.evaluate([pair.tensor], given)
        accumulated = search.errors.get(index, found.own)
        culprit = Culprit(
            operator=pair.operator,
            place=pair.index,
            location=pair.location,
            value=pair.label,
            parameters=pair.parameters,
            tensor=pair.tensor,
            node=describe_node(node),
            region=tuple(describe_node(each) for each in nodes),
            reference=statistics(value),
            candidate=None if made is None else statistics(made),
            error_before=search.error_before(index),
            error=accumulated.error,
            own_error=found.own.error,
            why=found.own.why,
            causes=causes,
        )
        if not with_bundle:
            return culprit
        files = write_bundle(
            job.work_dir / BUNDLE,
            search.candidate,
            given,
            pair.tensor,
            value,
            made,
            culprit.model_dump(mode="json"),
        )
        for file in files:
            job.add_file(f"{BUNDLE}/{file.name}", file, self.name)
        return culprit


def _fed(case: LocateCase, inputs: Mapping[str, str], facts: onnx_file.OnnxFacts) -> Arrays:
    """The case's inputs under the candidate's names, in its dtypes: it may be a float16 model."""
    dtypes = {spec.name: spec.dtype for spec in facts.inputs}
    return {
        ours: case.inputs[theirs].astype(dtypes[ours], copy=False)
        for ours, theirs in inputs.items()
    }


def _matched(what: str, ours: list[str], theirs: tuple[str, ...]) -> dict[str, str]:
    """The candidate's names, to the reference's: by name when they are the same, else in order."""
    if sorted(ours) == sorted(theirs):
        return {name: name for name in ours}
    if len(ours) != len(theirs):
        raise InputError(
            f"the ONNX file has {len(ours)} {what} ({', '.join(ours)}), "
            f"the other model {len(theirs)} ({', '.join(theirs)})",
            hint="give two files of one model",
        )
    return dict(zip(ours, theirs, strict=True))


def _given(job: Job, specs: tuple[TensorSpec, ...]) -> Arrays | None:
    """The inputs of ``--inputs``. Raises ``InputError`` when they are not those of the model."""
    if job.task.inputs is None:
        return None
    path = Path(job.task.inputs)
    arrays = recorded_inputs(read_npz(path))
    names = [spec.name for spec in specs]
    if missing := [name for name in names if name not in arrays]:
        raise InputError(
            f"{path} has no {missing[0]}", hint=f"it needs one array each for {', '.join(names)}"
        )
    return checked_inputs({name: arrays[name] for name in names}, specs, path)


def _compare(case: LocateCase, made: Arrays, job: Job, random: tuple[str, ...]) -> Judged:
    """Judge the outputs by the gate, which knows of boxes and of tolerances by dtype."""
    shapes = {name: array.shape for name, array in case.inputs.items()}

    def compare(b: Arrays, a: Arrays, wider: float = 1.0) -> CaseComparison:
        limits = limits_of(job.options, wider)
        return compare_case(case.label, shapes, case.seed, b, a, limits=limits, random=random)

    compared = compare(case.outputs, made)
    if not compared.passed:
        compared = agree_nearby(compare, case.outputs, made, case.nearby()) or compared
    outputs = tuple(
        OutputError(
            name=output.name,
            error=difference(case.outputs[output.name], made[output.name]).error,
            passed=output.passed,
            reason=output.reason,
        )
        for output in compared.outputs
    )
    return Judged(case, outputs, compared)


def _causes(
    nodes: list[onnx.NodeProto], pairs: Pairs, side: Side
) -> tuple[onnx.NodeProto | None, tuple[str, ...]]:
    """What differs from the graph that the candidate's is most like: the export, or simplified."""
    candidate = pairs.candidate
    best: tuple[float, OnnxValues] | None = None
    ours = set(candidate.names)
    for expected in side.expected():
        theirs = set(expected.names)
        alike = len(ours & theirs) / len(ours | theirs)
        if best is None or alike > best[0]:
            best = alike, expected
        if alike == 1:
            break
    if best is None:
        return None, ()
    node, causes = find_causes(nodes, candidate, best[1], side.stands_for(pairs))
    if node is None and covers(nodes, best[1]) == len(nodes) and isinstance(side, PaddleSide):
        told = "the file has here what an export of this model has: the ONNX form itself differs"
        return None, (told,)
    return node, causes


def _growth(search: Search) -> tuple[GrowthPoint, ...]:
    measured = sorted(search.errors.keys() | search.own.keys())
    points = []
    for index in measured:
        pair = search.pairs.all[index]
        own = search.own.get(index)
        error = search.errors.get(index, own)
        assert error is not None
        points.append(
            GrowthPoint(
                index=index,
                operator=pair.operator,
                value=pair.label,
                tensor=pair.tensor,
                error=error.error,
                own=own.error if own else None,
            )
        )
    return tuple(points)


def _told(culprit: Culprit) -> str:
    return f"{culprit.node.name or culprit.node.outputs[0]} ({culprit.node.op_type})"


def _quiet(culprit: Culprit) -> str:
    return (
        f"{culprit.operator} at {_told(culprit)} differs by {culprit.own_error:.2g}, "
        "and no output shows it on these inputs"
    )


def _unlocated(facts: LocateFacts) -> str:
    if facts.unjudged:
        return (
            "the place was not found: of the values inside, "
            f"{facts.unjudged} could be neither compared nor computed by themselves"
        )
    outputs = {output.name for output in facts.outputs if not output.passed}
    inside = [point.error for point in facts.growth if point.tensor in outputs]
    why = "rounding grows along the graph"
    if inside and max(inside) < OPERATOR_NOISE:
        why = "with ONNX Runtime's graph optimisation off they agree, so it is that"
    if any(point.own is not None and point.own > OPERATOR_NOISE for point in facts.growth):
        return f"no operator that differs by itself changes what comes after it: {why}"
    return f"every operator by itself computes what it should: {why}"
