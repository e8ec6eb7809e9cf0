"""Signals at the worst moment: what was done is told, and the next run is not locked out.

A signal is sent by the command to itself, from a function that it goes through: no clock decides.
"""

from __future__ import annotations

import json
import os
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
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests may have it ignored

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

#: What the command says where there is no table that does.
TOLD = "error: interrupted\nhint: run the same command again\n"

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
def test_signals_while_reports_are_written_end_the_command_after_them(zoo, before):
    """All is done by then, and the report says so."""
    planted = (
        'at("converter.report.run_files", "write_text_atomically", lambda: send(TERM, INT), '
        f"before={before})\n"
    )
    code, said = build(zoo, planted, "--junit", "late.xml")
    assert code == 130
    assert said.endswith(TOLD) and "1 model passed" not in said
    assert (zoo / "out" / "report.html").is_file()
    assert report_of(zoo).exit_code == 0
    assert not (zoo / "late.xml").exists()
    assert build(zoo)[0] == 0


def test_signals_while_the_report_of_an_interrupted_run_is_written_are_ignored(zoo):
    planted = EXPORTING.format("INT")
    planted += 'at("converter.report.run_files", "write_text_atomically", lambda: send(INT, TERM))'
    code, said = build(zoo, planted, "--junit", "late.xml")
    assert code == 130
    assert "Interrupted, 1 model not finished" in said
    assert report_of(zoo).interrupted
    assert (zoo / "late.xml").is_file()


@pytest.mark.parametrize("command_", ["build", "convert", "merge"])
def test_a_signal_ends_the_writing_of_a_view_and_others_may_have_the_directory(zoo, command_):
    """A FIFO that nobody reads, or a mount that hangs, takes for ever."""
    os.mkfifo(zoo / "fifo")
    planted = """
import fcntl
def look():
    fcntl.flock(os.open("out", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("FREE", [open("out/" + name).read()[-2:] for name in ("report.json", "report.html")])
    send(TERM)
at("converter.report.junit", "write_text_through", look)
"""
    words = {
        "build": ("build", "zoo.yaml"),
        "convert": ("convert", "models/tiny"),
        "merge": ("report", "merge", "first"),
    }[command_]
    if command_ == "merge":
        assert build(zoo)[0] == 0
        (zoo / "out").rename(zoo / "first")
    ended = command(zoo, *words, "-o", "out", "--junit", "fifo", planted=planted)
    assert (ended.returncode, ended.stdout[:4]) == (130, "FREE"), ended.stderr
    assert ended.stderr.endswith(TOLD)
    assert report_of(zoo).exit_code == 0


def test_a_signal_ends_the_printing_of_json_with_its_code(zoo):
    """Half a document with the code 0 was taken for a whole one."""
    ended = command(
        zoo, "build", "zoo.yaml", "-o", "out", "--json",
        planted='at("converter.cli.streams", "_Stream.write", lambda: send(INT), before=False, '
        "only=lambda stream, text: stream is sys.stdout)",
    )  # fmt: skip
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.endswith(TOLD)
    assert report_of(zoo).exit_code == 0


@pytest.mark.parametrize("asked", ["validate", "locate", "forecast"])
def test_what_is_printed_comes_after_the_run(zoo, asked):
    """The report is there, the directory is free, and a signal does what it always does."""
    onnx = zoo / "made" / "tiny" / "inference.onnx"
    assert command(zoo, "convert", "models/tiny", "-o", "made", "--opset", "13").returncode == 0
    sides = (str(onnx),) if asked == "forecast" else ("models/tiny", str(onnx))
    planted = """
import fcntl
def look():
    assert os.path.isfile("out/report.json")
    fcntl.flock(os.open("out", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    send(INT)
at("converter.cli.answer", "print_json", look)
"""
    ended = command(zoo, asked, *sides, "-o", "out", "--json", planted=planted)
    assert (ended.returncode, ended.stderr[-len(TOLD) :]) == (130, TOLD), ended.stderr
    assert json.loads(ended.stdout)["exit_code"] == 130


def test_the_workers_of_a_build_end_after_its_reports(zoo):
    """A cluster may take its time, or hang."""
    planted = """
def look():
    print("WRITTEN", os.path.isfile("out/report.html"), file=sys.stderr)
    send(TERM)
at("converter.engine.pool", "Pool.__exit__", look)
"""
    code, said = build(zoo, planted)
    assert (code, "WRITTEN True\n" + TOLD in said) == (130, True), said
    assert report_of(zoo).exit_code == 0


def test_standard_output_that_nobody_reads_keeps_no_command_alive(zoo):
    """Neither the printing nor what Python does at its end waits for a reader."""
    planted = """
import threading
def interrupt_when_full():
    pipe = os.dup(1)
    os.set_blocking(pipe, False)
    def fill():
        try:
            while os.write(pipe, b"x" * 65536):
                pass
        except BlockingIOError:
            os.set_blocking(pipe, True)
    fill()
    send(INT)
at("converter.cli.streams", "_Stream.flush", interrupt_when_full,
   only=lambda stream: stream is sys.stdout and sys._getframe(2).f_code.co_name == "echo")
"""
    reader, writer = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT.replace("{planted}", planted), "recipe", "schema"],
            cwd=zoo, env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True,
            timeout=120,
        )  # fmt: skip
    finally:
        os.close(reader)
        os.close(writer)
    assert ended.returncode == 130
    assert ended.stderr == TOLD


def test_a_signal_while_a_baseline_is_written_is_in_the_report(zoo):
    planted = 'at("converter.report.baseline", "write_text_through", lambda: send(INT))\n'
    code, said = build(zoo, planted, "--baseline", "b.json", "--update-baseline")
    assert code == 130
    report = report_of(zoo)
    assert report.interrupted
    assert report.baseline.unwritten == "the run was interrupted"
    assert not (zoo / "b.json").exists()
    assert "Interrupted" in said


@pytest.mark.parametrize(
    "planted",
    [
        "class Finder:\n    @staticmethod\n    def find_spec(name, *_):\n"
        '        if name == "typer.core":\n            send(INT, TERM)\n'
        "sys.meta_path.insert(0, Finder)\n",
        'at("typer.core", "TyperGroup.make_context", lambda: send(INT, TERM))\n',
        'at("typer.core", "TyperGroup.make_context", lambda: send(INT, TERM), before=False)\n',
        'at("converter.cli.streams", "let_readers_go", lambda: send(INT, TERM))\n',
    ],
    ids=["importing", "parsing", "parsed", "beginning"],
)
def test_a_signal_before_a_command_has_begun_is_told(tmp_path, planted):
    ended = command(tmp_path, "build", "zoo.yaml", "--json", planted=planted)
    assert ended.returncode == 130
    assert ended.stderr == TOLD
    error = {"message": "interrupted", "hint": "run the same command again"}
    assert json.loads(ended.stdout) == {"exit_code": 130, "errors": [error]}


def test_signals_while_the_interruption_is_told_end_that(tmp_path):
    """Standard error may have a reader that reads nothing."""
    planted = (
        'at("converter.cli.app", "_report", lambda: send(INT))\n'
        'at("converter.cli.build", "build_command", lambda: send(INT))\n'
        'at("typer.core", "TyperGroup.invoke", lambda: send(TERM))\n'
    )
    ended = command(tmp_path, "build", "zoo.yaml", planted=planted)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_signal_when_the_command_has_ended_leaves_no_traceback(tmp_path):
    planted = "import atexit\natexit.register(lambda: send(TERM))\n"
    ended = command(tmp_path, "--version", planted=planted)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_no_run_is_deaf_for_ever():
    """A disk that hangs while reports are written must not need SIGKILL."""
    script = """
import os, signal
from converter.engine import interruption
signal.signal(signal.SIGINT, signal.default_int_handler)
def send():
    os.kill(os.getpid(), signal.SIGINT)
try:
    with interruption.guarded():
        send()
        send()
        interruption._PATIENCE = 0.0
        send()
        print("it went on")
except KeyboardInterrupt:
    print("ended")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("ended\n", "")


def test_the_second_ctrl_c_of_compile_is_as_any(tmp_path, tiny_pir):
    assert command(tmp_path, "convert", str(tiny_pir), "-o", "made").returncode == 0
    planted = (
        'at("converter.report.progress", "Progress.stage_started", lambda: send(INT))\n'
        'at("converter.engine.pool", "Pool.close", lambda: send(INT, TERM), '
        "only=lambda pool: pool._host is not None)\n"
    )
    words = ("compile", "made/tiny_pir", "--soc", "Ascend310P3", "-o", "om")
    ended = command(tmp_path, *words, planted=planted)
    assert ended.returncode == 130
    assert "Interrupted, 1 model not" in ended.stderr, ended.stderr


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


def test_the_signals_are_those_of_the_command_line(tmp_path):
    """What ``entry`` sets up is what a guard takes over."""
    planted = (
        "numbers = (INT, TERM, signal.SIGHUP)\n"
        'at("typer.core", "TyperGroup.invoke", lambda: '
        "print([signal.getsignal(n) is signal.default_int_handler for n in numbers]))\n"
    )
    ended = command(tmp_path, "recipe", "schema", planted=planted)
    assert ended.stdout.startswith("[True, True, True]\n")


def test_signals_that_are_to_be_ignored_stay_so(tmp_path):
    """As nohup wants it for SIGHUP, and a shell for what runs in its background."""
    planted = (
        "signal.signal(INT, signal.SIG_IGN)\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        'at("typer.core", "TyperGroup.invoke", lambda: send(INT, signal.SIGHUP))\n'
        "send(INT, signal.SIGHUP)\n"
    )
    ended = command(tmp_path, "recipe", "schema", planted=planted)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_quiet_says_that_it_was_interrupted(zoo):
    code, said = build(zoo, 'at("converter.engine.pool", "Pool._begin", lambda: send(INT))\n', "-q")
    assert code == 130
    assert said == "error: interrupted, 1 model not run\nhint: run the same command again\n"
