#!/usr/bin/env python3
"""A simulator of atc for tests: it compiles nothing. Tests put it on PATH under the name atc.

It takes --name=value arguments, notes them in ATC_SIMULATOR_CALLS, and does what
ATC_SIMULATOR_MODE says: ok (writes <output>.om with an OM file's first bytes), dynamic (the file
name has the host's in it), no-file, not-om, fail, hang.
"""

import json
import os
import sys
import time
from pathlib import Path

arguments = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
arguments["cwd"] = str(Path.cwd())
if "ATC_SIMULATOR_CALLS" in os.environ:
    with Path(os.environ["ATC_SIMULATOR_CALLS"]).open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")

mode = os.environ.get("ATC_SIMULATOR_MODE", "ok")
output = arguments["output"]
print("ATC start working now, please wait for a moment. (SIMULATOR: nothing is compiled)")
if mode == "hang":
    time.sleep(3600)
if mode == "fail":
    print("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
    print("E16002: No parser is registered for Op [If_0] of type [If].")
    sys.exit(255)
if mode in ("ok", "dynamic"):
    name = f"{output}.om" if mode == "ok" else f"{output}_linux_x86_64.om"
    Path(name).write_bytes(b"IMOD" + bytes(252) + Path(arguments["model"]).read_bytes()[:64])
if mode == "not-om":
    Path(f"{output}.om").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
print("ATC run success, welcome to the next use.")
