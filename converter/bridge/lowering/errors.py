"""Why an operator cannot be lowered; ``plan`` turns these into one error for the user."""

from __future__ import annotations


class CannotLower(Exception):
    """No right form exists for this operator with these attributes; the text says why."""


class NeedsOpset(CannotLower):
    """The operator can be expressed from ``opset`` on."""

    def __init__(self, opset: int, what: str) -> None:
        super().__init__(f"{what} needs opset {opset}")
        self.opset = opset
