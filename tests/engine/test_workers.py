"""Workers: the memory they may take, second tries, and starting them without fork."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.engine.convert import Silent, run_conversion
from converter.engine.launch import Host
from converter.engine.memory_limit import MemoryLimits
from converter.engine.plan import check_logs
from converter.engine.pool import Pool
from converter.engine.running import (
    Death,
    Running,
    after_death,
    describe_death,
    describe_first,
)
from converter.errors import InputError
from converter.model.memory import format_bytes, parse_bytes, tree_memory
from converter.model.result import StageResult, Status
from converter.model.task import ConvertOptions, Task
from tests.engine.test_pool import FAULTS, TINY_ONLY, convert_both

GIB = 1 << 30


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch):
    """Returns a function that plants a fault in the export of the tiny model."""

    def plant(kind: str, once: Path | None = None) -> None:
        monkeypatch.setenv("PYTHONPATH", str(FAULTS), prepend=os.pathsep)
        monkeypatch.setenv("FAULT", kind)
        monkeypatch.setenv("FAULT_OPERATOR", TINY_ONLY)
        if once:
            monkeypatch.setenv("FAULT_ONCE", str(once))

    return plant


def ready(host: Host) -> dict[str, object]:
    """What the host says when its imports are done."""
    assert host.process.stdout is not None
    line = host.process.stdout.readline()
    host.close(at_once=True)
    return json.loads(line)


def test_the_host_has_no_threads_when_it_forks():
    """A thread that holds a lock at a fork leaves it locked in the child for ever."""
    assert ready(Host()) == {"event": "ready", "threads": 1, "fork": True}


def test_a_host_with_threads_does_not_fork(plant, tiny_pir, tmp_path):
    plant("thread")

    assert ready(Host()) == {"event": "ready", "threads": 2, "fork": False}
    assert run_conversion([tiny_pir], tmp_path / "out", ConvertOptions()).exit_code == 0


@pytest.mark.parametrize("kind", ["bug", "abort", "exit", "system-exit", "hang"])
def test_a_library_that_fails_when_it_is_warmed_up_ends_no_run(kind, plant, tiny_pir, tmp_path):
    plant(f"warm-{kind}")

    assert run_conversion([tiny_pir], tmp_path / "out", ConvertOptions()).exit_code == 0


def test_workers_without_fork(monkeypatch, tiny_pir, tmp_path):
    monkeypatch.setenv("PADDLE2OM_WORKERS", "spawn")

    assert ready(Host())["fork"] is False
    (model,) = run_conversion([tiny_pir], tmp_path / "out", ConvertOptions()).models

    assert model.status is Status.OK
    assert (tmp_path / "out" / tiny_pir.name / "inference.onnx").is_file()


@pytest.mark.parametrize("kind", ["segfault", "sigkill"])
def test_a_second_try_is_told(kind, plant, tiny_pir, cls_model, tmp_path):
    plant(kind, once=tmp_path / "happened")

    tried, other, report = convert_both(tiny_pir, cls_model, tmp_path / "out")

    assert (tried.status, other.status, report.exit_code) == (Status.OK, Status.OK, 0)
    export = next(stage for stage in tried.stages if stage.stage == "export")
    (message,) = [each for each in export.messages if "retried" in each.text]
    signal_name = {"segfault": "SIGSEGV", "sigkill": "SIGKILL"}[kind]
    assert message.level == "warning"
    assert message.text == f"retried: the first time the worker process was killed by {signal_name}"
    assert "trying once more" in (tmp_path / "out" / tried.log).read_text()


@pytest.mark.parametrize(
    ("kind", "words", "hint"),
    [
        ("no-process", "Resource temporarily unavailable", "ulimit -u"),
        ("no-memory-for-it", "Cannot allocate memory", "--jobs"),
        ("no-pipe", "Too many open files", "ulimit -n"),
    ],
)
def test_a_worker_that_cannot_be_started_is_told(kind, words, hint, plant, tiny_pir, tmp_path):
    """Its second try, in a process of its own, works where only a fork was refused."""
    plant(kind, once=None if kind == "no-pipe" else tmp_path / "happened")

    (model,) = run_conversion([tiny_pir], tmp_path / "out", ConvertOptions()).models

    told = f"the worker process could not be started: {words}"
    if kind == "no-pipe":
        assert (model.failure.stage, model.failure.status) == ("inspect", Status.CRASHED)
        assert model.failure.error.message == f"{told}, at the second try too"
        assert hint in model.failure.error.hint
        assert model.failure.error.exit_code == 4
    else:
        assert model.status is Status.OK
        (message,) = model.stages[0].messages
        assert message.text == f"retried: the first time {told}"


def test_every_refusal_of_a_process_has_its_hint():
    for code, hint in ((errno.EAGAIN, "ulimit -u"), (errno.ENOMEM, "memory"), (errno.EPERM, "try")):
        state = Running(Task.model_construct(stages=("inspect", "export")), Path(), 0.0)
        state.first_death = "inspect: x"
        died, rest = after_death(state, Death(None, refused=code))

        assert died.error.message.startswith("the worker process could not be started: ")
        assert hint in died.error.hint
        assert rest.status is Status.SKIPPED


def test_a_stage_that_was_stopped_has_not_worked_while_it_waited():
    state = Running(Task.model_construct(stages=("inspect",)), Path(), 0.0)
    state.stage, state.stage_started = "inspect", time.monotonic() - 100.0
    Pool()._handle({"event": "waited", "task": "m", "seconds": 90.0}, {"m": state}, Silent())

    (died,) = after_death(state, Death(None))

    assert 10.0 <= died.seconds < 20.0


@pytest.mark.parametrize("kind", ["eat", "eat-below"])
def test_a_worker_that_takes_too_much_memory_is_stopped(kind, plant, tiny_pir, tmp_path):
    plant(kind)
    options = ConvertOptions(memory=GIB, timeout=60.0)

    (model,) = run_conversion([tiny_pir], tmp_path / "out", options).models

    assert (model.failure.stage, model.failure.status) == ("export", Status.CRASHED)
    assert model.failure.error.exit_code == 4
    assert "of memory, and may take 1 GiB" in model.failure.error.message
    assert "--memory" in model.failure.error.hint
    assert GIB < model.failure.peak_memory < 3 * GIB


def test_a_limit_that_suffices_changes_nothing(tiny_pir, tmp_path):
    options = ConvertOptions(memory=4 * GIB)

    assert run_conversion([tiny_pir], tmp_path / "out", options).exit_code == 0


def test_the_kernels_kill_is_told_from_others(monkeypatch):
    """The kernel counts its kills for want of memory; one more since the worker began is ours."""
    kills = iter([3, 4, 4, 4])
    monkeypatch.setattr("converter.engine.memory_limit.kernel_kills", lambda: next(kills))
    limits = MemoryLimits()

    limits.watch(1, None)
    assert limits.ended(1, 9) == {"peak": 0, "kernel": True}
    limits.watch(2, None)
    assert limits.ended(2, 9) == {"peak": 0}
    assert "for want of memory" in describe_death(9, kernel=True)


@pytest.mark.parametrize(
    ("death", "chance"),
    [
        (Death(11), True),
        (Death(9), True),
        (Death(None), True),
        (Death(None, refused=errno.EAGAIN), True),
        (Death(9, over_memory=GIB), False),
        (Death(7 << 8), False),
    ],
)
def test_what_a_second_try_may_help(death, chance):
    assert death.may_be_chance is chance


def test_memory_of_a_tree():
    assert tree_memory(os.getpid()) > 10 << 20
    assert tree_memory(2**22 + 1) == 0


@pytest.mark.parametrize(
    ("text", "count"), [("4G", 4 * GIB), ("1.5 GiB", 3 * GIB // 2), ("512m", 1 << 29), ("77", 77)]
)
def test_amounts_of_memory(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "4X", "-1G", "0", "G", "4 G B"])
def test_what_is_no_amount(text):
    with pytest.raises(InputError, match="no amount"):
        parse_bytes(text)


def test_amounts_are_shown_short():
    assert [format_bytes(n) for n in (77, 1 << 29, 3 * GIB // 2)] == [
        "77 bytes",
        "512 MiB",
        "1.5 GiB",
    ]


@pytest.mark.parametrize(
    ("done", "stage"),
    [((), "inspect"), (("inspect",), "export"), (("inspect", "export"), "publish")],
)
def test_a_death_between_two_stages_is_the_next_ones(done, stage):
    """A worker keeps a result in the cache then, or waits; ``publish`` comes after all stages."""
    state = Running(Task.model_construct(stages=("inspect", "export")), Path(), 0.0)
    state.results = [StageResult(stage=name, status=Status.OK) for name in done]

    results = after_death(state, Death(9))

    names = list(dict.fromkeys([*done, stage, "export"] if stage != "publish" else [*done, stage]))
    assert [result.stage for result in results] == names
    assert results[len(done)].status is Status.CRASHED
    assert describe_first(state, Death(9)) == f"{stage}: the worker process was killed by SIGKILL"


def test_a_worker_whose_host_is_gone_does_nothing(tiny_pir, tmp_path):
    """The kernel kills it with its host, unless that ended before the worker asked for it."""
    reader, writer = os.pipe()
    task = {"options": {}, "source": str(tiny_pir)}
    asked = {"task": "m", "data": task, "host": os.getppid()}  # not ours to give: we are the parent
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "converter.engine.worker", str(writer)],
        input=json.dumps(asked),
        text=True,
        pass_fds=(writer,),
        capture_output=True,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as events:
        assert events.read() == b""
    # Not 1 with a traceback: it has not looked at the task, which is none.
    assert (ended.returncode, ended.stderr) == (1, "")


class Remover(Silent):
    """Takes the logs away when the first model is done, and may put something in their place."""

    def __init__(self, logs: Path, *, blocked: bool):
        self.logs, self.blocked = logs, blocked

    def model_finished(self, report):
        if report.name == "a":
            shutil.rmtree(self.logs)
            if self.blocked:
                self.logs.write_text("")


@pytest.mark.parametrize("workers", ["fork", "spawn"])
def test_a_log_directory_that_went_away_is_made_again(workers, monkeypatch, tiny_pir, tmp_path):
    monkeypatch.setenv("PADDLE2OM_WORKERS", workers)
    sources = [Path(shutil.copytree(tiny_pir, tmp_path / name)) for name in ("a", "b")]
    out = tmp_path / "out"
    observer = Remover(out / "logs", blocked=False)

    report = run_conversion(sources, out, ConvertOptions(), jobs=1, observer=observer)

    assert [model.status for model in report.models] == [Status.OK, Status.OK]
    assert [path.name for path in (out / "logs").iterdir()] == ["b.log"]
    check_logs((out / "logs").iterdir())


def test_a_log_that_cannot_be_written_is_told_as_such(tiny_pir, tmp_path):
    """Nothing has died, there are no last words, and a second try would end as the first."""
    sources = [Path(shutil.copytree(tiny_pir, tmp_path / name)) for name in ("a", "b")]
    observer = Remover(tmp_path / "out" / "logs", blocked=True)

    report = run_conversion(sources, tmp_path / "out", ConvertOptions(), jobs=1, observer=observer)

    failed = report.models[1].failure
    assert (failed.stage, failed.error.exit_code) == ("inspect", 4)
    told = "the worker process could not be started: its log cannot be written: Not a directory"
    assert failed.error.message == told
    assert "output directory" in failed.error.hint
