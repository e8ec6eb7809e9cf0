"""What atc needs in its environment on a host without an NPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

#: Where CANN is when nobody sourced its set_env.sh: from 8.5 on, and before.
SET_ENV_FILES = (
    Path("/usr/local/Ascend/cann/set_env.sh"),
    Path("/usr/local/Ascend/ascend-toolkit/set_env.sh"),
)

#: The NPU driver's libraries, which atc links to. A container has them at the same place.
DRIVER_LIBRARIES = Path("/usr/local/Ascend/driver/lib64")

#: set_env.sh sets both to the toolkit's directory.
TOOLKIT_VARIABLES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")


def atc_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """``parent`` with the toolkit's stand-ins for the driver's libraries, where there is no driver.

    They are in ``<toolkit>/<arch>-linux/devlib`` and go in front, as CANN's manual has it. Beside a
    driver they would hide the real libraries.
    """
    environment = dict(parent)
    toolkit = next((parent[name] for name in TOOLKIT_VARIABLES if parent.get(name)), None)
    if toolkit is None or DRIVER_LIBRARIES.is_dir():
        return environment
    devlib = Path(toolkit) / f"{platform.machine()}-linux" / "devlib"
    if devlib.is_dir():
        paths = filter(None, (str(devlib), parent.get("LD_LIBRARY_PATH")))
        environment["LD_LIBRARY_PATH"] = ":".join(paths)
    return environment


def compile_processes() -> dict[str, str]:
    """How many operators atc compiles at once: four fifths of the cores, as its manual advises.

    Its own default is 8 on any host.
    """
    cores = len(os.sched_getaffinity(0))
    return {"TE_PARALLEL_COMPILER": str(max(1, min(32, cores * 4 // 5)))}
