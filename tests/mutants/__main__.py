"""``python -m tests.mutants``: which changes of the gate no test would notice.

Each mutant of each module below is run against the tests named with it, which stop at the first
failure. A survivor that ``explained.py`` has no reason for ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.mutants.explained import EXPLAINED
from tests.mutants.mutate import Mutant, mutants
from tests.mutants.run import survives

ROOT = Path(__file__).parents[2]

_GATE = ("test_gate.py", "test_gate_properties.py")
_METRICS = ("test_metric_edges.py", "test_metrics.py", "test_more_metrics.py", "test_gate.py")

#: The modules that decide, and the tests that are to hold them, the fastest first.
MODULES = {
    "verdict": _GATE,
    "gate": (*_GATE, "test_boxes.py", "test_gate_random.py"),
    "limits": _GATE,
    "measure": ("test_measure.py", *_GATE, "test_more_metrics.py"),
    "boxes": ("test_boxes.py", "test_boxes_found.py"),
    "columns": ("test_columns.py", "test_gate.py", "test_gate_properties.py"),
    "metrics.tensors": _METRICS,
    "metrics.differences": _METRICS,
    "metrics.agreement": _METRICS,
    "metrics.patterns": _METRICS,
    "metrics.selection": ("test_metric_edges.py", "test_more_metrics.py"),
    "metrics.ulp": ("test_more_metrics.py",),
}


def main() -> int:
    """Run all mutants of the modules asked for; the exit code."""
    import hypothesis.extra.numpy  # noqa: F401 - imported once, for all children
    import ml_dtypes  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401

    import converter.model.comparison
    import converter.model.tolerance  # noqa: F401

    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[[], *MODULES], default=[])
    parser.add_argument("--list", action="store_true", help="list the mutants, run nothing")
    asked = parser.parse_args()
    unexplained = total = killed = 0
    started = time.monotonic()
    for module in asked.modules or MODULES:
        file = ROOT / "converter/accuracy" / f"{module.replace('.', '/')}.py"
        made = mutants(file.read_text("utf-8"))
        total += len(made)
        if asked.list:
            print(*(_line(module, mutant) for mutant in made), sep="\n")
            continue
        tests = [str(ROOT / "tests/accuracy" / name) for name in MODULES[module]]
        name = f"converter.accuracy.{module}"
        if not survives(name, str(file), file.read_text("utf-8"), tests):
            print(f"{module}: its tests fail without any change, so nothing can be said of it")
            return 1
        lived = 0
        for mutant in made:
            if survives(name, str(file), mutant.source, tests):
                lived += 1
                reason = EXPLAINED.get((module, mutant.where, mutant.change))
                unexplained += reason is None
                print(f"{_line(module, mutant)}  # {reason or 'NOT EXPLAINED'}", flush=True)
        killed += len(made) - lived
        print(f"{module}: {len(made) - lived} of {len(made)} noticed", flush=True)
    seconds = time.monotonic() - started
    print(f"{killed} of {total} noticed, {unexplained} not explained, {seconds:.0f} s")
    return 1 if unexplained else 0


def _line(module: str, mutant: Mutant) -> str:
    return f"{module}:{mutant.line} {mutant.where}: {mutant.change}"


if __name__ == "__main__":
    sys.exit(main())
