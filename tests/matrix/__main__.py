"""``python -m tests.matrix``: see ``tests.matrix.command``."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def run() -> int:
    """Set what native libraries read when they are imported, then import them."""
    # A fork must find one thread.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ |= {"GLOG_minloglevel": "2", "ORT_DISABLE_TELEMETRY": "1"}
    # The workers of paddle2om must import this tree's converter, not an installed one.
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    from tests.matrix.command import main

    return main()


if __name__ == "__main__":
    code = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without Paddle's tear-down, which takes half a second
