"""Looks at everything."""

from __future__ import annotations

from converter.engine.doctor.ascend import check_ascend
from converter.engine.doctor.findings import DoctorReport
from converter.engine.doctor.machine import check_machine, check_python
from converter.engine.doctor.packages import check_packages
from converter.engine.doctor.self_test import self_test
from converter.version import __version__


def examine(*, convert: bool = True) -> DoctorReport:
    """The state of this machine; ``convert`` ends it with the conversion of a small model."""
    checks = [*check_python(), *check_packages(), *check_machine(), *check_ascend()]
    if convert:
        checks.append(self_test())
    return DoctorReport(version=__version__, checks=tuple(checks))
