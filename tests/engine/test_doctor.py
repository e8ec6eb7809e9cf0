"""doctor: right on this machine, and of use where packages are missing, broken or too new."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

import converter.engine.doctor.self_test  # noqa: F401
from converter.atc.toolkit import cann_version
from converter.engine.doctor import machine, packages
from converter.engine.doctor.ascend import check_ascend
from converter.engine.doctor.findings import Check
from converter.engine.doctor.known_bad import KNOWN_BAD, known_bad, parse_version
from converter.model.memory import FreeMemory
from converter.resources import template_dir
from tests.command import paddle2om

ROOT = Path(__file__).parents[2]


def doctor(*arguments: str, shadow: Path | None = None) -> tuple[int, dict[str, Check]]:
    """Exit code and checks by name of the command, with ``shadow`` in front of the packages."""
    path = os.pathsep.join(map(str, [shadow, ROOT] if shadow else [ROOT]))
    ended = paddle2om("doctor", "--json", *arguments, PYTHONPATH=path)
    assert "Traceback" not in ended.stderr
    report = json.loads(ended.stdout)
    assert report["exit_code"] == ended.returncode
    checks = [Check.model_validate(each) for each in report["checks"]]
    assert all(each.fix for each in checks if each.state in ("warning", "problem"))
    return ended.returncode, {each.name: each for each in checks}


def break_module(shadow: Path, name: str, code: str, version: str | None = None) -> None:
    (shadow / name).mkdir(parents=True)
    (shadow / name / "__init__.py").write_text(code)
    if version:
        info = shadow / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_everything_is_well_here() -> None:
    code, checks = doctor()

    assert code == 0
    assert checks["onnx"].found == metadata.version("onnx")
    assert checks["conversion"].state == "ok"
    assert "max abs" in checks["conversion"].found
    assert not [check for check in checks.values() if check.state == "problem"]


def test_packages_that_break_in_different_ways(tmp_path: Path) -> None:
    break_module(tmp_path, "onnx", "import nothing_like_this", "1.20.0")
    break_module(tmp_path, "paddle2onnx", "import os; os.abort()")
    break_module(
        tmp_path,
        "onnxruntime",
        "raise ImportError('libcudart.so.12: cannot open shared "
        "object file: No such file or directory')",
    )

    code, checks = doctor(shadow=tmp_path)

    assert code == 1
    assert "No module named 'nothing_like_this'" in checks["onnx"].reason
    assert checks["onnx"].fix.endswith("pip install nothing_like_this")
    assert "SIGABRT" in checks["paddle2onnx"].reason
    assert "--force-reinstall" in checks["paddle2onnx"].fix
    assert "paddle2onnx==2.1.0" in checks["paddle2onnx"].fix
    assert checks["onnxruntime"].fix.startswith("install the system package that has libcudart")
    assert checks["paddle2onnx + onnx"].state == "warning"  # 2.1.0 and 1.20.0
    assert checks["numpy"].state == "ok"
    assert checks["conversion"].state == "problem"
    assert "cannot start" in checks["conversion"].reason


def test_a_broken_numpy_and_paddle_do_not_break_doctor(tmp_path: Path) -> None:
    for name in ("numpy", "paddle"):
        break_module(tmp_path, name, "raise RuntimeError('broken')")

    code, checks = doctor("--no-self-test", shadow=tmp_path)

    assert code == 1
    assert "broken" in checks["numpy"].reason
    assert "broken" in checks["paddlepaddle"].reason
    assert "conversion" not in checks


def test_a_package_that_is_not_there() -> None:
    check = packages._check("onnxsim", {})

    assert (check.state, check.found) == ("problem", "not installed")
    assert "pip install 'onnxsim" in check.fix


def test_two_packages_for_one_module() -> None:
    check = packages._check("onnxruntime", {"onnxruntime": "1.32", "onnxruntime-gpu": "1.22"})

    assert check.state == "problem"
    assert "uninstall -y onnxruntime onnxruntime-gpu" in check.fix


@pytest.mark.parametrize("known", KNOWN_BAD, ids=lambda known: known.reason[:30])
def test_every_known_combination_can_be_found(known) -> None:
    def text(version):
        return ".".join(map(str, version))

    versions = {}
    for part in known.parts:
        inside = part.since or (0, 1)
        versions[part.package] = text(inside)
    found = known_bad(versions)
    assert known.reason in [each.reason for each in found]
    assert all(each.fix for each in found)


@pytest.mark.parametrize(
    ("name", "version", "fix"),
    [
        ("onnxruntime-gpu", "1.20.1", "'onnxruntime-gpu>=1.22,<2'"),
        ("paddlepaddle-gpu", "3.4.0", "paddlepaddle-gpu==3.3.1"),
        ("onnx-weekly", "1.15.0", "'onnx-weekly>=1.16.1,<=1.17.0'"),
    ],
)
def test_a_build_for_another_device_is_the_same_library(name: str, version: str, fix: str) -> None:
    (found,) = known_bad({name: version, "numpy": "1.26.4"})
    assert (found.name, found.found) == (name, f"{name} {version}")
    assert found.fix.endswith(fix)


def test_good_versions_are_not_blamed() -> None:
    assert known_bad(packages.installed_versions()) == []
    assert parse_version("2.0.2rc3") == (2, 0, 2)
    assert parse_version("unknown") is None


def test_what_pip_is_told_is_what_we_require() -> None:
    assert packages.requirement("paddle2onnx") == "paddle2onnx==2.1.0"
    assert packages.requirement("ml_dtypes") == "ml-dtypes>=0.4"
    assert packages.requirement("no-such-package") == "no-such-package"


def test_directories_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    check = machine._directory("cache directory", tmp_path / "file" / "x", "export X=DIR")

    assert (check.state, check.fix) == ("problem", "export X=DIR")
    assert machine._directory("fine", tmp_path / "new" / "x", "").state != "problem"


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    free = FreeMemory(512 << 20, limited=True)
    monkeypatch.setattr(machine, "free_memory", lambda: free)

    check = machine._memory()

    assert check.state == "warning"
    assert check.found == "512 MiB available (limit of this container)"


def test_cann_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in: no CANN toolkit was ever on the machines that this was developed on."""
    atc = tmp_path / "cann" / "bin" / "atc"
    atc.parent.mkdir(parents=True)
    atc.write_text("#!/bin/sh\n")
    atc.chmod(0o755)
    (tmp_path / "cann" / "version.cfg").write_text("toolkit_running_version=[8.1.RC1:8.1.RC1]\n")
    monkeypatch.setenv("PATH", str(atc.parent), prepend=os.pathsep)

    found = {check.name: check for check in check_ascend()}["atc"]

    assert found.state == "ok"
    assert found.found.startswith(f"{atc}, CANN 8.1.RC1")
    assert cann_version(tmp_path / "nowhere" / "atc") is None


def test_the_self_test_model_is_the_fixture(tiny_pir: Path) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        assert (template_dir() / "self_test" / name).read_bytes() == (tiny_pir / name).read_bytes()


def test_ctrl_c_in_the_self_test_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["converter.engine.doctor.self_test"]
    stopped = SimpleNamespace(interrupted=True, models=())
    monkeypatch.setattr(module, "run_conversion", lambda *_: stopped)
    with pytest.raises(KeyboardInterrupt):
        module.self_test()
