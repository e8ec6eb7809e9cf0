#!/usr/bin/env python3
"""A simulator of docker and podman for tests: ``run`` runs the command here, in no container.

Tests put it on PATH under the name docker or podman. Each call's words are noted in the file
DOCKER_SIMULATOR_CALLS. DOCKER_SIMULATOR_MODE chooses:

ok (when unset)  runs the entry point with its arguments
no-daemon        fails as docker does when its daemon is not there
no-python        fails as docker does when the image has no such program
hang             keeps its input open and does not end within the hour
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(words: list[str]) -> int:
    """Simulate one call; the return code."""
    with Path(os.environ["DOCKER_SIMULATOR_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(words) + "\n")
    mode = os.environ.get("DOCKER_SIMULATOR_MODE", "ok")
    if words[0] != "run":
        return 0
    if mode == "no-daemon":
        print("docker: Cannot connect to the Docker daemon.", file=sys.stderr)
        return 125
    if mode == "no-python":
        print('docker: exec: "python3": executable file not found in $PATH.', file=sys.stderr)
        return 127
    if mode == "hang":
        time.sleep(3600)
    flags = [word for word in words if word.startswith("--")]
    entry = next(flag for flag in flags if flag.startswith("--entrypoint="))
    arguments = words[words.index(entry) + 2 :]  # behind the image
    return subprocess.run([entry.partition("=")[2], *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
