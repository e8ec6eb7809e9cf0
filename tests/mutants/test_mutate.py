"""The mutation tester itself: it makes the mutants meant, and tells those that live from others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.__main__ import MODULES, ROOT
from tests.mutants.explained import EXPLAINED
from tests.mutants.mutate import mutants

SOURCE = '''"""A module."""

LIMIT: float = 2


def check(value: int = 0, *, deep: bool = False) -> bool:
    """Not to be changed: 1 < 2."""
    if not value and deep:
        raise ValueError(f"{value + 1:.3g}")
    return value <= LIMIT + 1
'''


def test_every_part_that_decides_is_changed_once() -> None:
    found = [(mutant.where, mutant.change) for mutant in mutants(SOURCE)]
    assert found == [
        ("module", "2 -> 3"),
        ("check", "0 -> 1"),
        ("check", "False -> True"),
        ("check", "not value and deep -> not (not value and deep)"),
        ("check", "not value and deep -> not value or deep"),
        ("check", "not value -> value"),
        ("check", "value <= LIMIT + 1 -> value < LIMIT + 1"),
        ("check", "value <= LIMIT + 1 -> value > LIMIT + 1"),
        ("check", "LIMIT + 1 -> LIMIT - 1"),
        ("check", "1 -> 2"),
    ]


def test_explanations_are_of_mutants_that_there_are() -> None:
    there = {
        (module, mutant.where, mutant.change)
        for module in MODULES
        for mutant in mutants(
            (ROOT / "converter/accuracy" / f"{module.replace('.', '/')}.py").read_text("utf-8")
        )
    }
    assert EXPLAINED.keys() <= there
    assert all(reason.strip() for reason in EXPLAINED.values())


@pytest.mark.slow
def test_a_mutant_lives_only_where_no_test_notices(tmp_path: Path) -> None:
    noticing, silent = tmp_path / "test_noticing.py", tmp_path / "test_silent.py"
    noticing.write_text(
        "from converter.accuracy.limits import default_tolerance\n"
        "def test(): assert default_tolerance('float32').atol == 1e-5\n"
    )
    silent.write_text("import converter.accuracy.limits\ndef test(): pass\n")
    program = (
        "import sys; from pathlib import Path; from tests.mutants.run import survives\n"
        "file = 'converter/accuracy/limits.py'\n"
        "source = Path(file).read_text('utf-8').replace('atol=1e-5', 'atol=1e-4')\n"
        "name = 'converter.accuracy.limits'\n"
        "print(*(survives(name, file, source, [test]) for test in sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(noticing), str(silent)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "False True\n", done.stderr
