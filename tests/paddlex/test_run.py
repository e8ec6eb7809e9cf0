from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converter.errors import InputError, StageError, WorkerError
from converter.paddlex.child import ask, child_environment
from converter.paddlex.run import run_pipeline

FAKE = """
import os, signal, sys, time
__version__ = {version!r}
class Pipeline:
    def predict(self, image):
        print("chatter on both streams"); print("chatter", file=sys.stderr)
{body}
def create_pipeline(config):
    return Pipeline()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDLE2OM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    config, image = tmp_path / "ocr.yaml", tmp_path / "page.png"
    config.write_text("a: 1")
    image.write_bytes(b"")
    return config, image


def fake_paddlex(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, version: str = "3.7.2"
) -> None:
    package = tmp_path / "site" / "paddlex"
    package.mkdir(parents=True)
    indented = "\n".join(f"        {line}" for line in body.splitlines())
    (package / "__init__.py").write_text(FAKE.format(version=version, body=indented))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


def test_reads_texts_scores_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    fake_paddlex(tmp_path, monkeypatch, "yield {'rec_texts': ['é中', 'b'], 'rec_scores': [0.5, 1]}")
    run = run_pipeline(files[0], [files[1], files[1]])
    assert run.version == "3.7.2"
    assert [page.texts for page in run.pages] == [("é中", "b")] * 2
    assert run.pages[0].scores == (0.5, 1.0)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            "raise ValueError('Model name\\nmismatch')",
            StageError,
            "ValueError: Model name mismatch",
        ),
        ("raise SystemExit(3)", WorkerError, "ended with exit code 3"),
        ("raise SystemExit(0)", WorkerError, "ended with exit code 0: chatter"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", WorkerError, "ended with signal SIGSEGV"),
        (
            "os.kill(os.getpid(), signal.SIGRTMIN + 1)",
            WorkerError,
            f"ended with signal {signal.SIGRTMIN + 1}",
        ),
        ("time.sleep(60)", WorkerError, "did not finish within 2 s"),
        ("yield {'rec_texts': ['a'], 'rec_scores': []}", StageError, "1 texts and the scores"),
        (
            "yield {'rec_texts': ['a'], 'rec_scores': [float('nan')]}",
            StageError,
            "1 texts and the scores",
        ),
        ("yield {'error': 'settings are invalid'}", StageError, "KeyError"),
    ],
)
def test_failures_have_names(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: tuple[Path, Path],
    body: str,
    error: type[Exception],
    message: str,
) -> None:
    fake_paddlex(tmp_path, monkeypatch, body)
    with pytest.raises(error, match=message):
        run_pipeline(files[0], [files[1]], timeout=2)


def test_an_old_paddlex_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    fake_paddlex(tmp_path, monkeypatch, "yield {}", version="3.4.3")
    with pytest.raises(InputError, match=r"PaddleX 3\.4\.3 is too old"):
        run_pipeline(files[0], [files[1]])


def test_no_paddlex(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    package = tmp_path / "site"
    package.mkdir()
    (package / "paddlex.py").write_text("raise ModuleNotFoundError('no', name='paddlex')")
    monkeypatch.setenv("PYTHONPATH", str(package))
    with pytest.raises(InputError, match="PaddleX is not installed") as caught:
        run_pipeline(files[0], [files[1]])
    assert caught.value.hint == "pip install 'paddle2om[paddlex]'"


def test_a_broken_paddlex_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    package = tmp_path / "site"
    package.mkdir()
    (package / "paddlex.py").write_text("import not_there_at_all")
    monkeypatch.setenv("PYTHONPATH", str(package))
    with pytest.raises(InputError, match="not_there_at_all"):
        run_pipeline(files[0], [files[1]])


def test_missing_files_and_interpreters(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        run_pipeline(tmp_path / "none.yaml", [files[1]])
    with pytest.raises(InputError, match="cannot start"):
        run_pipeline(files[0], [files[1]], python=str(tmp_path / "python"))


def test_nothing_is_written_outside_the_cache(cache: Path) -> None:
    environment = child_environment({**os.environ, "HOME": "/home/someone"})
    for name in ("HOME", "XDG_CACHE_HOME", "PADDLE_PDX_CACHE_HOME", "HF_HOME", "MODELSCOPE_CACHE"):
        assert environment[name].startswith(str(cache))
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["PATH"] == os.environ["PATH"]


def test_the_runner_needs_no_package_of_ours(tmp_path: Path) -> None:
    """It runs in any interpreter that has PaddleX: nothing but the standard library at the top."""
    runner = Path(run_pipeline.__code__.co_filename).with_name("_pipeline_runner.py")
    imports = [line for line in runner.read_text().splitlines() if line.startswith("import ")]
    names = {line.split()[1] for line in imports}
    assert names <= set(sys.stdlib_module_names)


def test_no_child_outlives_us(tmp_path: Path, cache: Path) -> None:
    """Nobody would end a PaddleX that computes on after its parent was killed."""
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import os, pathlib, sys, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    code = (
        "import pathlib, sys; from converter.paddlex.child import ask\n"
        "ask(pathlib.Path(sys.argv[1]), {}, timeout=60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(runner)])
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_progress_is_passed_on(tmp_path: Path, cache: Path) -> None:
    runner = tmp_path / "runner.py"
    runner.write_text(
        "import json, sys, time\n"
        "request = json.load(open(sys.argv[1]))\n"
        "for text in ('one\\ntw', 'o\\nthree\\n'):\n"
        "    with open(request['progress'], 'a') as file: file.write(text)\n"
        "    time.sleep(0.6)\n"
        "json.dump({'done': True}, open(request['result'], 'w'))\n"
    )
    lines: list[str] = []
    assert ask(runner, {}, timeout=60, tell=lines.append) == {"done": True}
    assert lines == ["one", "two", "three"]
