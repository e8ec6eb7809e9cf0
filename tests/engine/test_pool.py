"""Workers that die: each way of dying is one row of the report, and the other models finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.engine.convert import Silent, run_conversion
from converter.model.result import ModelReport, RunReport, Status
from converter.model.task import ConvertOptions
from converter.report.json_file import read_json
from tests.command import COMMAND

FAULTS = Path(__file__).parent.parent / "simulators" / "faults"

#: An operator of the tiny model that the classifier does not have.
TINY_ONLY = "pd_op.leaky_relu"


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch):
    """Returns a function that plants a fault in the export of the tiny model."""

    def plant(kind: str) -> None:
        monkeypatch.setenv("PYTHONPATH", str(FAULTS), prepend=os.pathsep)
        monkeypatch.setenv("FAULT", kind)
        monkeypatch.setenv("FAULT_OPERATOR", TINY_ONLY)

    return plant


def convert_both(
    tiny: Path, cls: Path, out: Path, observer: Silent | None = None, timeout: float = 120.0
) -> tuple[ModelReport, ModelReport, RunReport]:
    options = ConvertOptions(timeout=timeout)
    report = run_conversion([tiny, cls], out, options, jobs=2, observer=observer)
    return *report.models, report


def processes_mentioning(text: str) -> list[str]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in command and int(directory.name) != os.getpid():
            found.append(command)
    return found


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("exit", "exited with code 7"),
    ],
)
def test_a_dead_worker_is_one_row(plant, kind, words, tiny_pir, cls_model, tmp_path):
    plant(kind)

    died, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out")

    assert died.failure is not None
    assert died.failure.stage == "export"
    assert died.failure.status is Status.CRASHED
    assert words in died.failure.error.message
    assert ("second try" in died.failure.error.message) == (kind != "exit")
    assert died.failure.error.hint
    assert [stage.status for stage in died.stages[2:]] == [Status.SKIPPED] * 3
    assert other.status is Status.OK
    assert report.exit_code == 4
    assert not (tmp_path / "out" / tiny_pir.name / "inference.onnx").exists()


def test_kill_9_during_export(plant, tiny_pir, cls_model, tmp_path):
    plant("hang")

    class Killer(Silent):
        """Kills the worker as soon as the export has begun."""

        def stage_detail(self, name: str, stage: str, text: str) -> None:
            pass

        def stage_started(self, name: str, stage: str) -> None:
            if (name, stage) == (tiny_pir.name, "export"):
                os.kill(worker_of(name, tmp_path / "out"), signal.SIGKILL)

    died, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out", Killer())

    assert (died.failure.stage, died.failure.status) == ("export", Status.CRASHED)
    assert "SIGKILL" in died.failure.error.message
    assert other.status is Status.OK
    assert report.exit_code == 4


def worker_of(name: str, out: Path) -> int:
    """The process that has the log of ``name`` as its standard error."""
    log = str((out / "logs" / f"{name}.log").resolve())
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if str((directory / "fd" / "2").readlink()) == log:
                return int(directory.name)
        except OSError:
            continue
    raise AssertionError(f"no worker writes to {log}")


def test_a_hung_worker_is_stopped(plant, tiny_pir, cls_model, tmp_path):
    plant("hang")

    died, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out", timeout=12.0)

    assert died.failure.status is Status.TIMEOUT
    assert died.failure.stage == "export"
    assert "12 s" in died.failure.error.message
    assert other.status is Status.OK
    assert report.exit_code == 4


def test_a_full_disk_is_the_users_to_mend(plant, tiny_pir, cls_model, tmp_path):
    plant("disk-full")

    failed, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out")

    assert failed.failure.status is Status.FAILED
    assert "No space left" in failed.failure.error.message
    assert "free some space" in failed.failure.error.hint
    assert other.status is Status.OK
    assert report.exit_code == 2


def test_a_bug_of_ours_has_its_own_code_and_a_traceback_in_the_log(
    plant, tiny_pir, cls_model, tmp_path
):
    plant("bug")

    failed, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out")

    assert "ZeroDivisionError" in failed.failure.error.message
    assert "Traceback" in (tmp_path / "out" / failed.log).read_text()
    assert other.status is Status.OK
    assert report.exit_code == 70


def test_a_library_that_exits_is_a_failed_stage(plant, tiny_pir, cls_model, tmp_path):
    plant("system-exit")

    failed, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out")

    assert (failed.failure.stage, failed.failure.status) == ("export", Status.FAILED)
    assert "exit" in failed.failure.error.message
    assert other.status is Status.OK
    assert report.exit_code == 1


def test_a_lost_host_loses_only_what_it_was_running(plant, tiny_pir, cls_model, tmp_path):
    plant("hang")

    class HostKiller(Silent):
        """Kills the fork server itself while the first model hangs in it."""

        def stage_detail(self, name: str, stage: str, text: str) -> None:
            pass

        def stage_started(self, name: str, stage: str) -> None:
            if (name, stage) == (tiny_pir.name, "export"):
                worker = worker_of(name, tmp_path / "out")
                parent = Path(f"/proc/{worker}/status").read_text().split("PPid:")[1].split()[0]
                os.kill(int(parent), signal.SIGKILL)

    report = run_conversion(
        [tiny_pir, cls_model], tmp_path / "out", ConvertOptions(), jobs=1, observer=HostKiller()
    )

    died, other = report.models
    assert died.failure.status is Status.CRASHED
    assert "forked from" in died.failure.error.message
    assert other.status is Status.OK


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ending_the_parent_ends_everything(plant, signal_number, tiny_pir, tmp_path):
    """No worker outlives a parent that is killed or interrupted."""
    plant("hang")
    out = tmp_path / "out"
    command = [*COMMAND, "convert", str(tiny_pir), "-o", str(out)]
    # Started in the background of a script, pytest and what it starts would ignore Ctrl-C.
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as parent:
        for line in parent.stderr:
            if "inspect ok" in line:
                break
        parent.send_signal(signal_number)
        rest = parent.stderr.read()
        parent.wait(timeout=30)

    deadline = time.monotonic() + 20
    while processes_mentioning(str(out)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_mentioning(str(out)) == []
    if signal_number == signal.SIGKILL:
        assert parent.returncode == -signal.SIGKILL
        return
    assert parent.returncode == 130
    assert "Interrupted" in rest
    (model,) = read_json(out / "report.json").models
    assert model.stages[0].status is Status.OK  # what was done is still told
    assert model.status is Status.INTERRUPTED
    assert model.stages[1].messages[0].text == "not run: interrupted"
    assert not list(out.glob(".paddle2om-work-*"))


def test_many_models_at_once_do_not_deadlock(tmp_path):
    """Commands and events fill their pipes in both directions when nobody reads."""
    sources = [tmp_path / f"missing-{index}" for index in range(150)]

    report = run_conversion(sources, tmp_path / "out", ConvertOptions(), jobs=150)

    assert len(report.models) == 150
    assert all(model.failure.stage == "inspect" for model in report.models)
    assert report.exit_code == 2


def test_a_host_that_no_longer_obeys_is_ended(plant, tiny_pir, tmp_path, monkeypatch):
    plant("hang")
    monkeypatch.setattr("converter.engine.pool._KILL_GRACE", 1.0)

    class Stopper(Silent):
        """Stops the fork server, so that it neither kills nor reports."""

        def stage_detail(self, name: str, stage: str, text: str) -> None:
            pass

        def stage_started(self, name: str, stage: str) -> None:
            if stage == "export":
                worker = worker_of(name, tmp_path / "out")
                parent = Path(f"/proc/{worker}/status").read_text().split("PPid:")[1].split()[0]
                os.kill(int(parent), signal.SIGSTOP)

    report = run_conversion(
        [tiny_pir], tmp_path / "out", ConvertOptions(timeout=5.0), observer=Stopper()
    )

    assert report.models[0].failure.status is Status.TIMEOUT
    assert report.models[0].failure.stage == "export"
    assert processes_mentioning(str(tmp_path / "out")) == []


def test_what_paddle2onnx_refuses_is_not_a_crash(tmp_path, monkeypatch):
    """It says why and then aborts the process; seen without our lowering of this form."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS), prepend=os.pathsep)
    monkeypatch.setenv("FAULT", "no-lowering")
    script = tmp_path / "save.py"
    script.write_text(
        "import paddle\n"
        "class Soft(paddle.nn.Layer):\n"
        "    def forward(self, x):\n"
        "        return paddle.nn.functional.softplus(x, beta=2)\n"
        "spec = paddle.static.InputSpec([None, 4], 'float32', name='x')\n"
        f"paddle.jit.save(Soft(), {str(tmp_path / 'soft' / 'inference')!r}, [spec])\n"
    )
    subprocess.run([sys.executable, script], check=True, capture_output=True)

    report = run_conversion([tmp_path / "soft"], tmp_path / "out", ConvertOptions())

    failure = report.models[0].failure
    assert (failure.stage, failure.status) == ("export", Status.FAILED)
    assert "softplus" in failure.error.message
    assert report.exit_code == 1


def test_an_endless_time_limit(tiny_pir, tmp_path):
    report = run_conversion([tiny_pir], tmp_path / "out", ConvertOptions(timeout=float("inf")))

    assert report.exit_code == 0


def test_work_left_by_a_killed_run_is_removed(tiny_pir, tmp_path):
    out = tmp_path / "out"
    stale = out / ".paddle2om-work-999999999"
    stale.mkdir(parents=True)
    (stale / "exported.onnx").write_bytes(b"half")

    report = run_conversion([tiny_pir], out, ConvertOptions(), jobs=1)

    assert report.exit_code == 0
    assert not stale.exists()
