"""What is here of CANN: atc, its environment, and an NPU. All of it is optional."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from converter.atc.environment import SET_ENV_FILES, atc_environment
from converter.atc.soc import installed
from converter.atc.soc_detect import detect_soc
from converter.atc.toolkit import cann_version
from converter.engine.doctor.findings import Check
from converter.errors import InputError


def check_ascend() -> list[Check]:
    """atc and the NPU. Without them ONNX files are made all the same."""
    return [_atc(), _npu()]


def _atc() -> Check:
    environment = atc_environment(os.environ)
    path = shutil.which("atc", path=environment.get("PATH"))
    if path is None:
        scripts = [str(file) for file in SET_ENV_FILES if file.is_file()]
        if scripts:
            return Check(
                area="ascend",
                name="atc",
                state="warning",
                found=f"{scripts[0]}, which leads to no atc",
                reason="CANN is installed in part",
                fix="install the CANN toolkit again (Ascend-cann-toolkit_*.run --install)",
            )
        return Check(area="ascend", name="atc", state="absent", found="no CANN toolkit here")
    version = cann_version(Path(path))
    found = path + (f", CANN {version}" if version else "")
    chips = len(installed())
    if chips:
        found += f", {chips} chips"
    if shutil.which("atc") is None:
        found += " (its set_env.sh is sourced for it)"
    return Check(area="ascend", name="atc", found=found)


def _npu() -> Check:
    if shutil.which("npu-smi") is None and not any(Path("/dev").glob("davinci[0-9]*")):
        return Check(
            area="ascend", name="NPU", state="absent", found="no npu-smi, no davinci device"
        )
    try:
        return Check(area="ascend", name="NPU", found=detect_soc())
    except InputError as error:
        return Check(
            area="ascend",
            name="NPU",
            state="warning",
            found="a driver, and no chip that answers",
            reason=error.message.removeprefix("--soc auto: "),
            fix="npu-smi info (as a user of the group HwHiAiUser)",
        )
