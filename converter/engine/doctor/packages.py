"""The packages that conversion needs: installed, importable, and of versions that go together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

from converter.engine.doctor.findings import Check
from converter.engine.doctor.known_bad import known_bad
from converter.model.distributions import RIVALS, distributions_of

#: Distribution -> the module that is imported; None where looking up the version is enough.
_NEEDED: Mapping[str, str] = {
    "paddlepaddle": "paddle",
    "paddle2onnx": "paddle2onnx",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxsim": "onnxsim",
    "numpy": "numpy",
    "ml_dtypes": "ml_dtypes",
}

_OPTIONAL = ("paddlex", "paddleocr", "onnxruntime-cann", "ultra-infer-npu-python")

#: Seconds that an import may take on a cold disk.
_PATIENCE = 120.0


def check_packages() -> list[Check]:
    """Every package that is needed, the optional ones, and combinations known to be bad.

    Each import happens in a process of its own: native libraries may crash in it.
    """
    versions = installed_versions()
    with ThreadPoolExecutor(max_workers=2) as threads:
        checks = list(threads.map(lambda name: _check(name, versions), _NEEDED))
    for name in _OPTIONAL:
        state, found = ("ok", versions[name]) if name in versions else ("absent", "not installed")
        checks.append(Check(area="packages", name=name, state=state, found=found))  # type: ignore[arg-type]
    return [*checks, *known_bad(versions)]


def installed_versions() -> dict[str, str]:
    """Distribution -> version, as pip sees them; nothing is imported."""
    found: dict[str, str] = {}
    for name in (*_NEEDED, *_OPTIONAL):
        found |= distributions_of(name)
    return dict(sorted(found.items()))


def requirement(name: str) -> str:
    """What paddle2om requires of a package, for pip: ``onnx<=1.17.0,>=1.16.1``."""
    try:
        lines = metadata.requires("paddle2om") or []
    except metadata.PackageNotFoundError:
        return name
    for line in lines:
        text, _, marker = line.partition(";")
        match = re.match(r"[\w.-]+", text)
        plain = re.sub(r"[-_.]+", "-", match[0] if match else "").lower()
        other = "aarch64" in marker and "!= 'aarch64'" not in marker.replace('"', "'")
        if plain == name.replace("_", "-") and "extra" not in marker and not other:
            return text.strip()
    return name


def _check(name: str, versions: Mapping[str, str]) -> Check:
    present = [each for each in (name, *RIVALS.get(name, ())) if each in versions]
    install = f"{sys.executable} -m pip install '{requirement(name)}'"
    found = ", ".join(f"{each} {versions[each]}" for each in present)
    found = versions[name] if present == [name] else found

    def problem(reason: str, fix: str) -> Check:
        return Check(
            area="packages",
            name=name,
            state="problem",
            found=found or "not installed",
            reason=reason,
            fix=fix,
        )

    if len(present) > 1:
        return problem(
            "several packages provide the same module and overwrite each other's files",
            f"{sys.executable} -m pip uninstall -y {' '.join(present)} && {install}",
        )
    if not present:
        return problem("conversion needs it", install)
    told = import_error(_NEEDED[name])
    if told:
        again = install.replace("install ", "install --force-reinstall --no-deps ", 1)
        missing = re.search(r"No module named '([\w.]+)'", told)
        if missing and missing[1].partition(".")[0] != _NEEDED[name]:
            again = f"{sys.executable} -m pip install {missing[1].partition('.')[0]}"
        library = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", told)
        if library:
            again = f"install the system package that has {library[1]}, then run doctor again"
        return problem(f"it cannot be imported: {told}", again)
    return Check(area="packages", name=name, found=found)


def import_error(module: str) -> str:
    """Why ``module`` cannot be imported by a process of its own; empty when it can."""
    environment = {**os.environ, "GLOG_minloglevel": "2", "ORT_DISABLE_TELEMETRY": "1"}
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", f"import {module}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_PATIENCE:.0f} s"
    if ended.returncode == 0:
        return ""
    if ended.returncode < 0:
        from converter.engine.running import describe_death

        return f"the process {describe_death(-ended.returncode)}"
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {ended.returncode}"
