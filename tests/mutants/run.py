"""Runs tests against one mutant in a process of its own."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType
from typing import Any

#: Seconds of the processor after which a mutant is taken to run for ever, which a test would
#: notice; and seconds in all, should it wait.
CPU_LIMIT, LIMIT = 60, 3600.0


class _Instead(MetaPathFinder, Loader):
    """Gives changed code for one module."""

    def __init__(self, name: str, code: CodeType, file: str) -> None:
        self._name, self._code, self._file = name, code, file

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        package = self._file.endswith("__init__.py")
        return spec_from_loader(fullname, self, origin=self._file, is_package=package)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file
        exec(self._code, module.__dict__)


def survives(name: str, file: str, source: str, tests: Sequence[str]) -> bool:
    """Whether all tests pass with module ``name`` having ``source``.

    Only to be called while this process has imported no module of ``converter.accuracy``.
    """
    code = compile(source, file, "exec")
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _run(name, file, code, tests)
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run(name: str, file: str, code: CodeType, tests: Sequence[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # most of what a start takes
    verdict = 70
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT))
    try:
        import pytest
        from hypothesis import HealthCheck, Phase, settings

        settings.register_profile(
            "mutants",
            max_examples=40,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),  # that it fails is enough: nothing is shrunk
            suppress_health_check=list(HealthCheck),  # how inputs are drawn is no verdict
        )
        settings.load_profile("mutants")
        sys.meta_path.insert(0, _Instead(name, code, file))
        options = ["-x", "-q", "--tb=no", "--noconftest", "-p", "no:cacheprovider"]
        verdict = int(pytest.main([*options, *tests]))
    finally:
        os._exit(verdict)
