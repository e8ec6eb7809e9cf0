"""A directory with everything an NPU's host needs to run an OM file on recorded inputs."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from converter.atc.device import run_om
from converter.atc.runners.contract import AtcJob, LogSink
from converter.atc.runners.local import LocalRunner
from converter.errors import InputError, Paddle2omError, StageError
from converter.model.artefacts import sha256_of
from converter.model.files import parse_json, read_all
from converter.model.wording import last_line
from converter.resources import template_dir

#: Names in a kit.
OM, SCRIPT, README, CASES, RESULTS = "inference.om", "run_om.py", "README.md", "cases", "results"

_AGAIN = "copy the results again, or run the kit again"


@dataclass(frozen=True)
class DeviceRun:
    """What a run on an NPU left: case -> result files, and what ran it where."""

    results: dict[Path, Path]
    backend: str
    soc: str | None
    seconds: tuple[float, ...]


def own_files() -> dict[str, bytes]:
    """The parts of every kit, by name."""
    script = Path(run_om.__file__).read_bytes()
    return {SCRIPT: script, README: (template_dir() / "device" / README).read_bytes()}


def cases_of(kit: Path) -> list[Path]:
    """The recorded cases. Raises ``InputError`` when the directory is no kit."""
    cases = sorted((kit / CASES).glob("*.npz"))
    if not cases or not (kit / OM).is_file():
        raise InputError(
            f"{kit} is not a device kit",
            hint="make one: paddle2om device KIT --paddle MODEL_DIR --om inference.om",
        )
    return cases


def find_results(kit: Path) -> DeviceRun | None:
    """What a finished run of the kit's own OM file left; None when there was none yet.

    Raises ``InputError`` for results of another OM file or of other cases, and for some of the
    cases only.
    """
    summary = kit / RESULTS / run_om.SUMMARY
    if not summary.is_file():
        return None
    told = parse_json(read_all(summary), summary, hint=_AGAIN)
    try:
        digest, backend, soc = told["om_sha256"], str(told["backend"]), told["soc"]
        seconds = tuple(float(case["seconds"]) for case in told["cases"])
        ran = {str(case["case"]): case["sha256"] for case in told["cases"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{summary} is damaged", hint=_AGAIN) from error
    if digest != sha256_of(kit / OM):
        raise InputError(
            f"the results in {kit / RESULTS} are of another OM file",
            hint=f"run {SCRIPT} again, and bring its results back",
        )
    other = [case.name for case in cases_of(kit) if ran.get(case.name, "") != sha256_of(case)]
    if other:  # the kit was made again since, or a case was changed
        raise InputError(
            f"the results in {kit / RESULTS} are not of the cases in the kit: {', '.join(other)}",
            hint=f"run {SCRIPT} again, and bring its results back",
        )
    results = {case: kit / RESULTS / case.name for case in cases_of(kit)}
    missing = [path.name for path in results.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"results are missing: {', '.join(missing)}",
            hint=f"run {SCRIPT} again on the NPU's host",
        )
    return DeviceRun(results, backend, soc if isinstance(soc, str) else None, seconds)


def run_kit(
    kit: Path,
    *,
    log: LogSink,
    device: int = 0,
    backend: str = "auto",
    timeout: float = 600.0,
) -> DeviceRun:
    """Run a kit on an NPU of this host, in a process of its own whose lines go to ``log``.

    Raises ``InputError`` when this host has neither pyACL nor ais_bench or the kit does not fit the
    OM file, and ``StageError`` when the NPU, the model or the time limit of ``timeout`` seconds
    ended it.
    """
    cases_of(kit)
    script = str(Path(run_om.__file__))
    argv = (
        *(sys.executable, script, "--kit", str(kit.absolute())),
        *("--device", str(device), "--backend", backend),
    )
    with tempfile.TemporaryDirectory(prefix="paddle2om-device-") as directory:
        # As atc is run: with the toolkit's environment, and all of it ends when it should.
        job = AtcJob(argv, {}, Path(directory) / "run", timeout)
        ended = LocalRunner().run(job, log)
    code, said = ended.returncode, ended.words
    if code != 0:
        raise _failure(kit, code, said, timeout)
    done = find_results(kit)
    if done is None:
        raise StageError("the run ended without results", hint="report this model")
    return done


def _failure(kit: Path, code: int | None, words: str, timeout: float) -> Paddle2omError:
    if code is None:
        return StageError(
            f"the NPU was not done within {timeout:.0f} s",
            hint="raise --timeout; npu-smi info shows what else it is doing",
        )
    told = {
        key: line.partition(": ")[2]
        for line in words.splitlines()
        for key in ("error", "hint")
        if line.startswith(f"{key}: ")
    }
    if "error" not in told:
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return StageError(
            f"running the OM file {ended}: {last_line(words) or 'no output'}",
            hint="native code of CANN crashed; its logs are below ~/ascend/log",
        )
    hint = told.get("hint", "")
    if code == run_om.NO_BACKEND:
        return InputError(
            told["error"],
            hint=f"{hint}; or copy {kit} to the NPU's host, run {SCRIPT} there, and bring it back",
        )
    kind = InputError if code == run_om.WRONG_INPUT else StageError
    return kind(told["error"], hint=hint)
