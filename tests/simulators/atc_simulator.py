#!/usr/bin/env python3
"""A simulator of atc for tests: it compiles nothing. Tests put it on PATH under the name atc.

It takes the syntax of atc's command line, checks flags and the ONNX file in atc's order, and prints
what atc prints, of CANN ATC_SIMULATOR_CANN (8.1 or 9.2; 8.1 when unset). Its first line on stderr
says what it is. Each call is noted in the file ATC_SIMULATOR_CALLS. ATC_SIMULATOR_MODE chooses:

faithful (when unset)  checks everything; the OM file says what was asked for, and runs nowhere
ok, dynamic            the model is not checked; dynamic: the file name has the host's in it
wrong:WHAT             as faithful, with an OM file that is another; WHAT is one of atc_om.SPOILS
warn                   as ok, with warnings behind the last line
no-file, not-om        ends with 0 and without an OM file, or with a text file in its place
truncated              ends with 0 and half an OM header
fail, fail:CODE        fails with E16002, or with CODE
inner                  fails with a wrapper code alone
quiet-fail             says that it failed and ends with 0, as behind a pipe
segfault, killed       dies of a signal
hang                   does not end within the hour
workers                as hang, with compile workers, one of them in a session of its own; their
                       process ids are written to the file ATC_SIMULATOR_PIDS
stray                  as ok, and a worker does not end
large:BYTES            as ok, with an OM file of that size
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.simulators import atc_checks, atc_om, atc_onnx, atc_screen, atc_syntax
from tests.simulators.atc_screen import TABLES, AtcFailure

_SINCE = {"7.0": (7, 0), "8.x": (8, 0), "9.x": (9, 0), "9.2": (9, 2)}
_UNREAD = (
    "ok", "dynamic", "warn", "no-file", "not-om", "truncated", "quiet-fail", "stray", "large",
)  # fmt: skip


def flags_known(cann: str) -> dict[str, str]:
    """Flag -> type, of those that this CANN version knows."""
    have = tuple(int(part) for part in cann.split(".")[:2])
    flags = TABLES["flags"].items()
    return {n: f["type"] for n, f in flags if _SINCE.get(f["since"] or "", (0, 0)) <= have}


def main(words: list[str]) -> int:
    """Simulate one call; the return code."""
    cann = os.environ.get("ATC_SIMULATOR_CANN", "8.1")
    mode = os.environ.get("ATC_SIMULATOR_MODE", "faithful")
    print("atc SIMULATOR for tests: nothing is compiled", file=sys.stderr, flush=True)
    print(atc_screen.START, flush=True)
    try:
        values = atc_syntax.read(words, flags_known(cann))
    except atc_syntax.SyntaxMistake as mistake:
        print(f"ERROR: {mistake}", file=sys.stderr)
        print(f"{atc_screen.FAILURE}\n{atc_screen.UNKNOWN_ERROR}", end="")
        return 255
    note_call(values)
    if "help" in values:
        print("usage: atc <args>   (a simulator: see the manual of CANN)")
        return 0
    try:
        atc_checks.check_ranges(values)
    except AtcFailure as failure:
        return fail(failure, cann, dots=False)
    if mode in ("workers", "stray"):
        start_workers()
    if mode in ("hang", "workers", "segfault", "killed"):
        die(mode)
    try:
        dynamic = simulate(values, cann, mode)
    except AtcFailure as failure:
        return fail(failure, cann)
    except OSError as error:
        code = "E13004" if atc_screen.template_set(cann) == "v9_2" else "E19004"
        return fail(AtcFailure(code, file=values["output"], errmsg=error.strerror), cann)
    if mode == "inner":
        print(f"...\n{atc_screen.FAILURE}\n{atc_screen.UNKNOWN_ERROR}", end="")
        return 255
    print("...")
    if mode == "quiet-fail":
        print(atc_screen.FAILURE)
        return 0
    write(values, cann, mode, dynamic)
    print(atc_screen.SUCCESS)
    if mode == "warn":
        print("W11001: Op [Slice_29] does not hit the high-priority operator library (simulated)")
    return 0


def simulate(values: dict[str, str], cann: str, mode: str) -> bool:
    """All checks; whether the OM file would be dynamic."""
    if mode.partition(":")[0] == "fail":
        code = mode.partition(":")[2] or "E16002"
        entry = TABLES["errors"].get(code, {}).get(atc_screen.template_set(cann)) or {}
        arguments = dict.fromkeys(entry.get("args", ()), "simulated")
        raise AtcFailure(code, **arguments)
    atc_checks.check_flags(values, cann)
    if "input_shape_range" in values:
        print("WARNING: Option input_shape_range is deprecated, use input_shape instead")
    known = {soc for names in TABLES["soc_versions"].values() for soc in names} | {"Ascend910"}
    if values["soc_version"] not in known:
        raise AtcFailure(
            "E20101",
            value=values["soc_version"],
            parameter="--soc_version",
            reason="no platform configuration file for it",
        )
    if mode.partition(":")[0] in _UNREAD:
        return mode == "dynamic"
    dynamic = atc_onnx.check_model(values, cann)
    atc_checks.check_profiles(values, cann)
    return dynamic


def fail(failure: AtcFailure, cann: str, *, dots: bool = True) -> int:
    """Print the failure as atc does."""
    if dots:
        print("...")
    print(f"{atc_screen.FAILURE}\n{atc_screen.error_block(failure, cann)}", end="")
    return 255


def die(mode: str) -> None:
    """End without a last line, or not at all."""
    if mode in ("hang", "workers"):
        time.sleep(3600)
    os.kill(os.getpid(), signal.SIGSEGV if mode == "segfault" else signal.SIGKILL)


def start_workers() -> None:
    """Start two compile workers that do not end, as a child and as a daemon; note who they are."""
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(3600)"
    with Path(os.environ["ATC_SIMULATOR_PIDS"]).open("a", encoding="utf-8") as pids:
        print(os.getpid(), file=pids, flush=True)
        for daemon in (False, True):
            worker = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=daemon
            )
            assert worker.stdout is not None
            print(int(worker.stdout.readline()), file=pids, flush=True)


def write(values: dict[str, str], cann: str, mode: str, dynamic: bool) -> None:
    """The OM file, under the name that atc gives it, and the side files in this directory."""
    if values.get("export_compile_stat", "1") != "0":
        Path("fusion_result.json").write_text('[{"simulated": true}]\n', encoding="utf-8")
    if values.get("op_debug_level", "0") != "0":
        Path(values.get("debug_dir", "."), "kernel_meta").mkdir(parents=True, exist_ok=True)
    if values.get("mode") == "3":
        report = Path(values.get("check_report", "check_result.json"))
        report.write_text('{"simulated": true}\n', encoding="utf-8")
        return
    if mode == "no-file":
        return
    suffix = {"7": ".om2", "30": ".exeom"}.get(values.get("mode", "0"), ".om")
    host = ""
    if dynamic:
        system, cpu = values.get("host_env_os", "linux"), values.get("host_env_cpu")
        host = f"_{system}_{cpu or platform.machine()}"
    spoil = mode.removeprefix("wrong:") if mode.startswith("wrong:") else ""
    # Where the model is no ONNX file at all, a header has to do.
    header = atc_om.om_bytes(values, cann, dynamic, spoil) or b"IMOD" + bytes(252)
    if mode == "not-om":
        header = b"version https://git-lfs.github.com/spec/v1\n"
    if mode == "truncated":
        header = header[:128]
    if mode.startswith("large:"):
        header = header.ljust(int(mode.partition(":")[2]), b"\0")
    weights = {"1": "weight", "2": f"{values['output']}_weight_combined"}
    if directory := weights.get(values.get("external_weight", "0")):
        Path(directory).mkdir()
        Path(directory, "simulated_weight").write_bytes(b"weights of the simulator")
    names = [f"{values['output']}{host}{suffix}"]
    if values.get("save_original_model") == "true":
        names.append(f"{values['output']}_original.om")
    for name in names:
        om = Path(name)
        om.parent.mkdir(parents=True, exist_ok=True)
        om.write_bytes(header)
        om.chmod(0o600)


def note_call(values: dict[str, str]) -> None:
    """Append the flags and the directory to ATC_SIMULATOR_CALLS."""
    if "ATC_SIMULATOR_CALLS" in os.environ:
        with Path(os.environ["ATC_SIMULATOR_CALLS"]).open("a", encoding="utf-8") as calls:
            calls.write(json.dumps(values | {"cwd": str(Path.cwd())}) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
