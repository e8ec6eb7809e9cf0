"""What a repair of a PIR program is, and the list of them in the order they apply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from converter.model.result import RepairApplied


class ProgramRepair(ABC):
    """Rewrites a PIR program (its parsed JSON) where paddle2onnx would get it wrong.

    ``apply`` changes operations only where the repair's condition holds and returns how many.
    """

    name: ClassVar[str]
    reason: ClassVar[str]

    @abstractmethod
    def apply(self, program: dict[str, Any]) -> int:
        """Rewrite ``program`` in place; return the number of changes."""


def program_repairs() -> tuple[ProgramRepair, ...]:
    """Every repair of PIR programs, in the order they apply."""
    from converter.bridge.double_attributes import DoubleAttributes
    from converter.bridge.kept_slice_axes import KeptSliceAxes
    from converter.bridge.true_types import TrueTypes

    return (DoubleAttributes(), KeptSliceAxes(), TrueTypes())


def repair_program(program: dict[str, Any]) -> tuple[RepairApplied, ...]:
    """Apply every repair to ``program`` in place and report those that changed something."""
    applied = []
    for repair in program_repairs():
        count = repair.apply(program)
        if count:
            applied.append(RepairApplied(name=repair.name, count=count, reason=repair.reason))
    return tuple(applied)
