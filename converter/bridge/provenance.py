"""Writes into an ONNX model where it comes from: its metadata properties.

Nothing that changes from run to run is recorded, so that the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from converter.model.artefacts import sha256_of
from converter.model.distributions import distributions_of
from converter.model.paddle_dir import PaddleModel
from converter.model.result import RepairApplied
from converter.version import __version__

if TYPE_CHECKING:
    import onnx

_TOOLS = ("paddlepaddle", "paddle2onnx", "onnx")


@cache
def tools_of_this_process() -> tuple[tuple[str, str], ...]:
    """Name and version of what makes models here; the fork server asks once for all workers."""
    return tuple(found for tool in _TOOLS for found in distributions_of(tool).items())


def record_provenance(
    model: onnx.ModelProto, source: PaddleModel, repairs: Sequence[RepairApplied]
) -> None:
    """Set ``model``'s metadata: source digests, tool versions, repairs. Sorted by key."""
    entries = {
        "paddle2om.version": __version__,
        "paddle2om.program.sha256": sha256_of(source.program),
        "paddle2om.repairs": ", ".join(f"{r.name} x{r.count}" for r in repairs) or "none",
    }
    if source.params is not None:
        entries["paddle2om.params.sha256"] = sha256_of(source.params)
    entries |= {f"paddle2om.{name}": version for name, version in tools_of_this_process()}
    del model.metadata_props[:]
    for key, value in sorted(entries.items()):
        model.metadata_props.add(key=key, value=value)
