"""Signals at the worst moment: what was done is told, and the next run is not locked out.

A signal is sent by the command to itself, from a function that it goes through: no clock decides.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converter.model.result import RunReport, Status
from converter.report.json_file import read_json
from tests.command import ROOT, environment

#: Runs a command after ``{planted}``, which has ``at``: do something when a function is called.
SCRIPT = """
import importlib, os, signal, sys

def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)

def at(module, name, do, before=True, only=lambda *args: True):
    where = importlib.import_module(module)
    for part in name.split(".")[:-1]:
        where = getattr(where, part)
    name = name.split(".")[-1]
    real = getattr(where, name)
    def planted(*args, **named):
        if before and only(*args):
            do()
        made = real(*args, **named)
        if not before and only(*args):
            do()
        return made
    setattr(where, name, planted)

INT, TERM = signal.SIGINT, signal.SIGTERM
signal.signal(INT, signal.default_int_handler)
{planted}
sys.argv = ["paddle2om", *sys.argv[1:]]
from converter.cli.main import entry
entry()
"""

#: When the progress display hears that a stage has begun.
EXPORTING = (
    'at("converter.report.progress", "Progress.stage_started", lambda: send({}), '
    'only=lambda _, name, stage: stage == "export")\n'
)


@pytest.fixture
def zoo(tmp_path, tiny_pir):
    shutil.copytree(tiny_pir, tmp_path / "models" / "tiny")
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels:\n  - path: models/tiny\n")
    return tmp_path


def command(root: Path, *words: str, planted: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("{planted}", planted), *words],
        cwd=root,
        env=environment(PADDLE2OM_CACHE=str(root / "user")),
        capture_output=True,
        text=True,
        timeout=240,
    )


def build(root: Path, planted: str = "", *words: str) -> tuple[int, str]:
    ended = command(root, "build", "zoo.yaml", "-o", "out", *words, planted=planted)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stderr


def report_of(root: Path) -> RunReport:
    return read_json(root / "out" / "report.json")


@pytest.mark.parametrize("first", ["INT", "TERM"])
def test_a_second_signal_does_not_cost_the_report(zoo, first):
    """The second one comes while the workers are being ended."""
    second = 'at("converter.engine.pool", "Pool.close", lambda: send(INT, TERM), '
    second += "only=lambda pool: pool._host is not None)\n"
    code, said = build(zoo, EXPORTING.format(first) + second)
    assert code == 130, said
    (model,) = report_of(zoo).models
    assert model.status is Status.INTERRUPTED
    assert model.stages[0].status is Status.OK
    assert "Interrupted, 1 model not finished" in said
    assert build(zoo)[0] == 0


def test_two_signals_at_once_are_one(zoo):
    code, said = build(zoo, EXPORTING.format("INT, TERM, INT"))
    assert code == 130, said
    assert report_of(zoo).interrupted


@pytest.mark.parametrize("before", [True, False])
def test_signals_while_reports_are_written_change_nothing(zoo, before):
    """All is done by then: the exit code is the run's."""
    planted = (
        'at("converter.report.run_files", "write_text_atomically", lambda: send(TERM, INT), '
        f"before={before})\n"
    )
    code, said = build(zoo, planted)
    assert code == 0, said
    assert not report_of(zoo).interrupted
    assert "1 model passed" in said


def test_a_signal_between_run_and_reports_changes_nothing(zoo):
    planted = 'at("converter.cli.views", "Views.write", lambda: send(TERM))\n'
    assert build(zoo, planted)[0] == 0
    assert report_of(zoo).exit_code == 0


@pytest.mark.parametrize("left", ["report.json", "report.html", "paddle2om.manifest.json"])
def test_a_death_between_two_reports_locks_nobody_out(zoo, left):
    """Whichever file was the last to be written."""
    module, name = "converter.report.run_files", "write_text_atomically"
    if left == "paddle2om.manifest.json":
        name = "write_manifest"
    only = f'lambda path, *_: path.name in ("out", "{left}")'
    planted = f'at("{module}", "{name}", lambda: os._exit(9), before=False, only={only})\n'
    assert build(zoo)[0] == 0
    before = (zoo / "out" / "report.json").read_bytes()
    assert build(zoo, planted)[0] == 9
    assert (left == "paddle2om.manifest.json") == (
        (zoo / "out" / "report.json").read_bytes() == before
    )
    code, said = build(zoo)
    assert code == 0, said


def test_a_signal_while_pipelines_are_written_keeps_the_report(zoo):
    """The models are done, and may have taken hours."""
    (zoo / "zoo.yaml").write_text(
        "schema: 1\nmodels:\n  - path: models/tiny\n"
        "pipelines:\n  - {name: OCR, backend: onnx, out: a.yaml}\n"
        "  - {name: OCR, backend: onnx, out: b.yaml}\n"
    )
    planted = (
        'at("converter.engine.rendering", "_render", lambda: send(INT, INT), '
        'only=lambda pipeline, *_: pipeline.out == "b.yaml")\n'
    )
    code, said = build(zoo, planted)
    assert code == 130, said
    report = report_of(zoo)
    assert report.interrupted
    assert report.models[0].status is Status.OK
    told = [pipeline.error and pipeline.error.message for pipeline in report.pipelines]
    assert told[1] == "not written: interrupted"
    assert told[0] != told[1]


def test_a_signal_before_anything_ran_is_told(zoo):
    planted = 'at("converter.engine.run", "files_of_models", lambda: send(INT))\n'
    code, said = build(zoo, planted)
    assert code == 130
    assert "error: interrupted\nhint: " in said
    assert not (zoo / "out" / "report.json").exists()
    assert not list((zoo / "out").glob(".paddle2om*"))


def test_what_is_cached_is_told_after_a_signal_too(zoo):
    assert build(zoo)[0] == 0
    planted = 'at("converter.report.progress", "Progress.model_finished", lambda: send(INT))\n'
    code, said = build(zoo, planted)
    assert code == 130, said
    assert report_of(zoo).interrupted


def test_python_hears_of_a_signal_once_the_report_is_there(zoo):
    """Who calls ``convert`` in a loop wants to be stopped, and not to be ignored."""
    planted = """
at("converter.report.run_files", "write_text_atomically", lambda: send(INT))
from converter import convert
try:
    convert("models/tiny", "out")
except KeyboardInterrupt:
    sys.exit(7)
"""
    ended = command(zoo, planted=planted)
    assert ended.returncode == 7, ended.stderr
    assert report_of(zoo).exit_code == 0
    assert (zoo / "out" / "report.html").is_file()


def test_handlers_are_as_before_and_others_are_left_alone():
    script = """
import os, signal
from pathlib import Path
from converter.engine.interruption import guarded, interruptible
mine = lambda *_: None
signal.signal(signal.SIGTERM, mine)
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
signal.signal(signal.SIGINT, signal.default_int_handler)
with guarded():
    assert signal.getsignal(signal.SIGTERM) is mine
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            raise SystemExit("it did not end the work")
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
    try:
        with interruptible():
            raise SystemExit("work began after a signal")
    except KeyboardInterrupt:
        pass
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
try:
    with guarded():
        os.kill(os.getpid(), signal.SIGINT)
    raise SystemExit("it was lost")
except KeyboardInterrupt:
    pass
print("sound")
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("sound\n", 0), ended.stderr


def test_the_signals_are_those_of_the_command_line():
    """What ``entry`` sets up is what a guard takes over."""
    script = """
import signal, sys
from converter.cli.main import entry
sys.argv = ["paddle2om", "--version"]
try:
    entry()
except SystemExit:
    pass
print([signal.getsignal(n) is signal.default_int_handler for n in (signal.SIGTERM, signal.SIGHUP)])
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.endswith("[True, True]\n")


def test_quiet_says_that_it_was_interrupted(zoo):
    code, said = build(zoo, 'at("converter.engine.pool", "Pool._begin", lambda: send(INT))\n', "-q")
    assert code == 130
    assert said == "error: interrupted, 1 model not run\nhint: run the same command again\n"
