"""Looks at an ONNX model for what atc would stumble over, before atc starts.

What is known of operators is in ``data/operators.json``: which ONNX operator atc's parser has for
which opset. A registered operator may still have no kernel for a chip (EZ3002, EZ3003), and a
released package may have operators that the open sources have not: a finding is a forecast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from converter.atc.flags import DATA, version_key
from converter.atc.preflight_nodes import node_findings
from converter.atc.soc import family_of
from converter.model.onnx_file import all_nodes, inputs_of, opset_of
from converter.model.result import Finding

if TYPE_CHECKING:
    import onnx

#: The highest opset that any operator is registered for.
MAX_OPSET = 18

#: As many nodes are named in a finding.
_NAMED = 3

#: Chips whose matrix unit has no float32: it is computed elsewhere, slowly, or not at all.
_NO_FP32 = ("Ascend310", "Ascend310P", "Ascend910")
_KEEPS_FP32 = ("origin", "must_keep_origin_dtype", "force_fp32")

_SEVERITY = ("error", "warning", "info")


@dataclass(frozen=True)
class Plan:
    """A model and how it is to be compiled."""

    model: onnx.ModelProto
    soc: str
    precision: str | None = None
    cann: str | None = None
    profiles: bool = False

    @cached_property
    def opset(self) -> int:
        """The version of ONNX's own domain; 0 when there is none."""
        return opset_of(self.model)


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads((DATA / "operators.json").read_text(encoding="utf-8"))
    return table


def preflight(plan: Plan) -> tuple[Finding, ...]:
    """Every finding, the worst first."""
    checks: tuple[Callable[[Plan], Iterable[Finding]], ...] = (
        _opset,
        _domains,
        _operators,
        _notes,
        lambda plan: node_findings(plan.model, profiles=plan.profiles),
        _inputs,
        _precision,
    )
    found = [finding for check in checks for finding in check(plan)]
    if not any(spec.is_dynamic for spec in inputs_of(plan.model)):
        found = [_with_shape(finding) for finding in found]
    return tuple(sorted(found, key=lambda finding: _SEVERITY.index(finding.severity)))


def _with_shape(finding: Finding) -> Finding:
    """Without the advice to give a shape, which was given."""
    if not finding.help.startswith("give a static shape"):
        return finding
    help_ = "if atc fails there, cut the model off before it, or run it with ONNX Runtime"
    return finding.model_copy(update={"help": help_})


def registered_opsets(kind: str) -> tuple[tuple[int, int], ...]:
    """The opsets (first and last of each span) that atc's parser has an operator for."""
    spans = (span.partition("-") for span in _table()["registered"].get(kind, "").split(","))
    return tuple((int(low), int(high or low)) for low, _, high in spans if low)


def _opset(plan: Plan) -> Iterator[Finding]:
    if plan.opset > MAX_OPSET or plan.opset < 8:
        yield Finding(
            severity="error",
            subject=f"opset {plan.opset}",
            atc="has no parser for any operator of it and ends with E16002 (E19010 before CANN 7)",
            help="export at opset 11, which every CANN takes: paddle2om convert --opset 11",
        )
        return
    if plan.cann is None:
        return
    ranges = {version_key(cann): tuple(r) for cann, r in _table()["documented_opsets"].items()}
    known = [key for key in sorted(ranges) if key <= version_key(plan.cann)]
    low, high = ranges[known[-1]] if known else (9, 13)
    if not low <= plan.opset <= high:
        yield Finding(
            severity="warning",
            subject=f"opset {plan.opset}",
            atc=f"of CANN {plan.cann} is documented for opsets {low} to {high}",
            help="export at opset 11, which every CANN takes",
        )


def _domains(plan: Plan) -> Iterator[Finding]:
    domains = [entry.domain for entry in plan.model.opset_import]
    foreign = [domain for domain in domains if domain not in ("", "ai.onnx")]
    if foreign:
        yield Finding(
            severity="error",
            subject=f"opset domain {', '.join(foreign)}",
            atc="takes models of one domain and ends with E16005",
            help="export without custom operators; domains that no operator uses are dropped here",
        )


def _operators(plan: Plan) -> Iterator[Finding]:
    if not 8 <= plan.opset <= MAX_OPSET:
        return  # all of them, told already
    by_kind: dict[tuple[str, str], list[str]] = {}
    for node in all_nodes(plan.model):
        by_kind.setdefault((node.domain, node.op_type), []).append(_name(node))
    for (domain, kind), names in by_kind.items():
        spans = registered_opsets(kind) if domain in ("", "ai.onnx") else ()
        if any(low <= plan.opset <= high for low, high in spans):
            continue
        others = ", ".join(f"{low} to {high}" if low < high else str(low) for low, high in spans)
        help_ = _table()["help"].get(kind, "replace the operator, or cut the model off before it")
        yield Finding(
            severity="error",
            subject=f"{domain}::{kind}" if domain else kind,
            atc=f"has no parser for it at opset {plan.opset} and ends with E16002",
            help=f"export at an opset of {others}" if others else help_,
            nodes=tuple(names[:_NAMED]),
            count=len(names),
        )


def _notes(plan: Plan) -> Iterator[Finding]:
    family = family_of(plan.soc)
    for note in _table()["notes"]:
        names = [_name(n) for n in all_nodes(plan.model) if n.op_type == note["operator"]]
        if names and family in note.get("chips", (family,)):
            yield Finding(
                severity=note["severity"],
                subject=note["operator"],
                atc=note["atc"],
                help=note["help"],
                nodes=tuple(names[:_NAMED]),
                count=len(names),
            )


def _inputs(plan: Plan) -> Iterator[Finding]:
    for spec in inputs_of(plan.model):
        if spec.rank == 0:
            yield Finding(
                severity="warning" if plan.profiles else "info",
                subject=f"input {spec.name}",
                atc="takes a scalar as `name:` in --input_shape, and needs it there with profiles",
                help="the command built here lists it",
            )
        if 0 in spec.shape:
            yield Finding(
                severity="error",
                subject=f"input {spec.name}",
                atc="takes no axis of 0 elements",
                help="give every axis at least one element",
            )
        if spec.dtype == "bfloat16" and family_of(plan.soc) in _NO_FP32:
            yield Finding(
                severity="error",
                subject=f"input {spec.name}",
                atc=f"has no bfloat16 on {plan.soc}",
                help="export in float32 or float16",
            )


def _precision(plan: Plan) -> Iterator[Finding]:
    if plan.precision in _KEEPS_FP32 and family_of(plan.soc) in _NO_FP32:
        yield Finding(
            severity="warning",
            subject=f"precision {plan.precision}",
            atc=f"cannot multiply matrices in float32 on the AI cores of {plan.soc}: such "
            "operators go to the AI CPU, or it ends with EZ3002",
            help="try it; else keep single operators with --keep-dtype",
        )


def _name(node: onnx.NodeProto) -> str:
    return str(node.name or (node.output[0] if node.output else node.op_type))
