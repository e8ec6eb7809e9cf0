"""Where CANN is on a host, and what atc needs in its environment there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converter.atc.runners.beside_atc import TOOLKIT_VARIABLES, with_toolkit

__all__ = ["DRIVER_LIBRARIES", "SET_ENV_FILES", "TOOLKIT_VARIABLES", "atc_environment"]

#: Where CANN is when nobody sourced its set_env.sh: from 8.5 on, and before.
SET_ENV_FILES = (
    Path("/usr/local/Ascend/cann/set_env.sh"),
    Path("/usr/local/Ascend/ascend-toolkit/set_env.sh"),
)

#: The NPU driver's libraries, which atc links to. A container has them at the same place.
DRIVER_LIBRARIES = Path("/usr/local/Ascend/driver/lib64")


def atc_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """``parent`` as atc needs it on this host: with the toolkit, where one is installed."""
    return with_toolkit(parent, SET_ENV_FILES, DRIVER_LIBRARIES)
