"""Runs with a cache: nothing is done twice, and what comes out is the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from converter.engine.cache.locks import locked
from converter.engine.cache.objects import ObjectStore
from converter.engine.cache.store import Cache
from converter.engine.cache.upkeep import verify
from converter.engine.convert import Silent, run_conversion
from converter.engine.pool import Pool
from converter.model.compile_options import CompileOptions
from converter.model.result import RunReport, Status
from converter.model.task import ConvertOptions
from converter.stages.pipeline import STAGES

OPTIONS = ConvertOptions(opset=13)


def run(out: Path, cache: Path | None, *sources: Path, **options) -> RunReport:
    return run_conversion(sources, out, OPTIONS.model_copy(update=options), jobs=2, cache=cache)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache that holds the two small models, and the output of the run that filled it."""
    root = tmp_path_factory.mktemp("filled")
    fixtures = Path(__file__).parents[3] / "fixtures"
    models = (fixtures / "tiny_pir", fixtures / "ch_ppocr_mobile_v2.0_cls")
    return root / "cache", root / "out", models, run(root / "out", root / "cache", *models)


@pytest.fixture
def cache(filled, tmp_path) -> Path:
    """A copy of the filled cache that a test may damage."""
    return Path(shutil.copytree(filled[0], tmp_path / "cache"))


@pytest.fixture
def no_worker(monkeypatch):
    """Nothing may be started."""

    def refuse(self):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(Pool, "_ensure_host", refuse)


def files_of(directory: Path) -> dict[str, bytes]:
    """The artefacts: everything but logs and reports."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".log" and not path.name.startswith("report.")
    }


def told(report: RunReport) -> list[dict]:
    """A report without times, memory, and whether a result is an earlier run's."""
    models = json.loads(report.model_dump_json())["models"]
    for model in models:
        for stage in model["stages"]:
            for name in ("seconds", "peak_memory", "cached"):
                del stage[name]
            stage["status"] = "ok" if stage["status"] == "cached" else stage["status"]
    return models


def statuses(report: RunReport, index: int = 0) -> dict[str, str]:
    return {stage.stage: str(stage.status) for stage in report.models[index].stages}


ALL_CACHED = {
    "inspect": "cached",
    "export": "cached",
    "simplify": "cached",
    "validate": "cached",
    "compile": "skipped",
}


@pytest.mark.parametrize("where", ["fresh", "again"])
def test_a_second_run_needs_no_worker_and_gives_the_same(where, filled, cache, tmp_path, no_worker):
    _, out, models, first = filled
    target = tmp_path / "out"
    if where == "again":
        shutil.copytree(out, target)

    second = run(target, cache, *models)

    assert [statuses(second, i) for i in (0, 1)] == [ALL_CACHED] * 2
    assert all(stage.cached for model in second.models for stage in model.stages)
    assert second.exit_code == first.exit_code == 0
    assert files_of(target) == files_of(out)
    assert told(second) == told(first)


def log_of(out: Path, index: int, models: tuple[Path, ...]) -> str:
    return (out / "logs" / f"{models[index].name}.log").read_text()


def test_the_log_of_a_cached_model_has_what_was_printed_when_it_was_made(
    filled, cache, tmp_path, no_worker
):
    """JUnit and the report point to it, and it had one line."""
    _, out, models, _ = filled
    run(tmp_path / "out", cache, *models)
    title, *before = log_of(out, 1, models).splitlines()
    assert any("Start parsing" in line for line in before)

    for _ in range(2):
        run(tmp_path / "out", cache, *models)
        log = log_of(tmp_path / "out", 1, models)
        assert log.splitlines()[0] == title
        said = [line for line in log.splitlines()[1:] if not line.startswith("paddle2om: ")]
        assert said == before
        assert "export is an earlier run's, from the cache, and printed then:\n" in log
        assert "inspect is an earlier run's, from the cache\n" in log


def test_the_log_of_a_partly_cached_model_has_what_its_earlier_stages_printed(
    filled, cache, tmp_path
):
    models = filled[2]
    run(tmp_path, cache, models[1], seed=7)
    assert log_of(tmp_path, 1, models).count("Start parsing") == 1


def test_a_cache_in_the_output_directory_is_left_alone(filled, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(filled[0], out / "cache")
    for _ in range(2):
        assert statuses(run(out, out / "cache", filled[2][0])) == ALL_CACHED

    assert files_of(out / "tiny_pir") == files_of(filled[1] / "tiny_pir")
    assert verify(Cache.open(out / "cache")).incomplete_entries == ()


def test_an_output_that_was_edited_is_not_ours(filled, cache, tmp_path):
    _, out, models, _ = filled
    target = tmp_path / "out"
    shutil.copytree(out, target)
    (target / "tiny_pir" / "inference.onnx").write_bytes(b"mine")

    second = run(target, cache, models[0])

    assert second.models[0].failure.stage == "publish"
    assert "was not made by paddle2om" in second.models[0].failure.error.message
    assert all(stage.cached for stage in second.models[0].stages[:-1])

    anew = run(target, tmp_path / "fresh", models[0])

    assert anew.models[0].failure == second.models[0].failure
    assert {stage.status for stage in anew.models[0].stages[:-1]} == {Status.SKIPPED}
    assert (target / "tiny_pir" / "inference.onnx").read_bytes() == b"mine"


def test_another_tolerance_validates_again_and_only_that(filled, cache, tmp_path, monkeypatch):
    from converter.accuracy.predictor import PaddlePredictor

    assert PaddlePredictor  # Paddle's outputs come from the cache: a broken Paddle is not noticed
    second = run(tmp_path / "out", cache, filled[2][0], atol=0.5)

    assert statuses(second) == ALL_CACHED | {"validate": "ok"}
    assert files_of(tmp_path / "out" / "tiny_pir") == files_of(filled[1] / "tiny_pir")


def test_a_changed_model_is_converted_anew(filled, cache, tmp_path):
    model = Path(shutil.copytree(filled[2][0], tmp_path / "tiny_pir"))
    yml = model / "inference.yml"
    yml.write_text(yml.read_text() + "\n# a comment\n" if yml.exists() else "Global: {}\n")

    second = run(tmp_path / "out", cache, model)

    assert statuses(second)["export"] == "ok"


def test_a_model_elsewhere_with_the_same_files_is_the_same(filled, cache, tmp_path, no_worker):
    model = Path(shutil.copytree(filled[2][0], tmp_path / "tiny_pir"))

    assert statuses(run(tmp_path / "out", cache, model)) == ALL_CACHED


def objects(cache: Path) -> list[Path]:
    return [path for path in (cache / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("how", ["flipped", "truncated", "removed", "entries"])
def test_damaged_objects_are_made_anew_and_said(how, filled, cache, tmp_path):
    damaged = objects(cache)
    if how == "entries":
        damaged = [path for path in (cache / "entries").rglob("*") if path.is_file()]
    for path in damaged:
        data = path.read_bytes()
        path.chmod(0o644)
        if how == "removed":
            path.unlink()
        else:
            half = len(data) // 2
            flipped = data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
            path.write_bytes(data[:half] if how == "truncated" else flipped)

    second = run(tmp_path / "out", cache, filled[2][0])

    assert second.exit_code == 0
    assert files_of(tmp_path / "out" / "tiny_pir") == files_of(filled[1] / "tiny_pir")
    said = [m.text for stage in second.models[0].stages for m in stage.messages]
    assert any("damaged" in text for text in said) == (how != "removed")
    third = run(tmp_path / "again", cache, filled[2][0])
    assert statuses(third) == ALL_CACHED
    assert not any("damaged" in m.text for stage in third.models[0].stages for m in stage.messages)


@pytest.mark.parametrize("how", ["missing", "other version"])
def test_a_result_is_not_called_damaged_when_it_is_not(how, filled, cache, tmp_path, monkeypatch):
    kept = Cache.open(cache)
    if how == "missing":  # another process removes it between two looks
        fetch = ObjectStore.fetch

        def gone(self, digest: str, target: Path) -> None:
            self.path(digest).unlink()
            fetch(self, digest, target)

        monkeypatch.setattr(ObjectStore, "fetch", gone)
    else:
        for key in kept.entries.keys():  # noqa: SIM118 - no mapping
            kept.entries.write_bytes(key, b"{}")

    second = run(tmp_path / "out", cache, filled[2][0])

    said = [m.text for stage in second.models[0].stages for m in stage.messages]
    wanted = "is missing" if how == "missing" else "the cached result is of another version"
    assert any(f"{wanted}; it was made anew" in text for text in said), said
    assert not any("damaged" in text for text in said)


def test_a_crash_is_never_kept(filled, tmp_path, monkeypatch):
    faults = Path(__file__).parents[2] / "simulators" / "faults"
    monkeypatch.setenv("PYTHONPATH", str(faults), prepend=os.pathsep)
    monkeypatch.setenv("FAULT", "segfault")
    monkeypatch.setenv("FAULT_OPERATOR", "pd_op.leaky_relu")
    first = run(tmp_path / "out", tmp_path / "cache", filled[2][0])
    assert first.models[0].status is Status.CRASHED
    monkeypatch.delenv("FAULT")

    second = run(tmp_path / "out", tmp_path / "cache", filled[2][0])

    assert statuses(second) == ALL_CACHED | dict.fromkeys(("export", "simplify", "validate"), "ok")


def test_a_full_disk_is_never_kept(filled, tmp_path, monkeypatch):
    faults = Path(__file__).parents[2] / "simulators" / "faults"
    monkeypatch.setenv("PYTHONPATH", str(faults), prepend=os.pathsep)
    monkeypatch.setenv("FAULT", "disk-full")
    monkeypatch.setenv("FAULT_OPERATOR", "pd_op.leaky_relu")
    assert run(tmp_path / "out", tmp_path / "cache", filled[2][0]).exit_code == 2
    monkeypatch.delenv("FAULT")

    assert run(tmp_path / "out", tmp_path / "cache", filled[2][0]).exit_code == 0


class Killer(Silent):
    """Kills this process, and thereby its workers, when a stage has begun."""

    def __init__(self, stage: str, delay: float) -> None:
        self._stage, self._delay = stage, delay

    def stage_started(self, name: str, stage: str) -> None:
        if stage == self._stage:
            threading.Timer(self._delay, os.kill, (os.getpid(), signal.SIGKILL)).start()


KILLED = """
import sys
from pathlib import Path
from converter.engine.cache.locks import locked
from converter.engine.convert import run_conversion
from converter.model.task import ConvertOptions
from tests.engine.cache.test_runs import Killer
out, cache, stage, delay, *models = sys.argv[1:]
run_conversion([Path(m) for m in models], Path(out), ConvertOptions(opset=13), jobs=2,
               cache=Path(cache), observer=Killer(stage, float(delay)))
"""


@pytest.mark.parametrize(
    ("stage", "delay"), [("export", 0.0), ("simplify", 0.15), ("compile", 0.0)]
)
def test_a_killed_run_goes_on_where_it_was(stage, delay, filled, tmp_path):
    _, out, models, first = filled
    cache, target = tmp_path / "cache", tmp_path / "out"
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED,
            str(target),
            str(cache),
            stage,
            str(delay),
            *map(str, models),
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    second = run(target, cache, *models)

    assert any(stage.cached for model in second.models for stage in model.stages)
    assert files_of(target) == files_of(out)
    assert told(second) == told(first)
    assert not list(target.glob(".paddle2om-work-*"))


def test_two_runs_on_one_cache_end_alike(filled, tmp_path):
    _, out, models, _ = filled
    cache = tmp_path / "cache"
    code = KILLED.replace("Killer(stage, float(delay))", "None")
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                str(tmp_path / name),
                str(cache),
                "-",
                "0",
                *map(str, models),
            ],
            cwd=Path(__file__).parents[3],
        )
        for name in ("one", "two")
    ]

    assert [each.wait(timeout=300) for each in running] == [0, 0]
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(out)
    third = run(tmp_path / "three", cache, *models)
    assert statuses(third) == ALL_CACHED


def test_waiting_for_another_run_is_told_and_costs_no_time_of_the_model(filled, cache, tmp_path):
    held, told = contextlib.ExitStack(), []
    for lock in (cache / "locks").glob("stage-*"):
        held.enter_context(locked(lock))
    shutil.rmtree(cache / "entries")

    class Releaser(Silent):
        def stage_detail(self, name: str, stage: str, text: str) -> None:
            told.append(text)

    limit = 8.0
    release = threading.Timer(limit + 2, held.close)
    release.start()
    options = OPTIONS.model_copy(update={"timeout": limit})
    report = run_conversion(
        [filled[2][0]], tmp_path / "out", options, cache=cache, observer=Releaser()
    )

    assert report.exit_code == 0, report.models[0].failure
    assert any(f"waiting for process {os.getpid()} on " in text for text in told)


def test_opsets_share_one_run_of_paddle(filled, tmp_path):
    cache = tmp_path / "cache"
    for opset in (13, 14):
        assert run(tmp_path / f"o{opset}", cache, filled[2][0], opset=opset).exit_code == 0
    kept = Cache.open(cache)
    keys = kept.entries.keys()
    whole = [kept.entries.read_bytes(key) for key in keys]
    references = [data for data in whole if len(data) == 64]
    assert len(references) == 1
    assert kept.objects.is_sound(references[0].decode())


def test_a_model_that_changes_meanwhile_is_not_kept(filled, tmp_path):
    model = Path(shutil.copytree(filled[2][0], tmp_path / "tiny_pir"))

    class Toucher(Silent):
        def stage_started(self, name: str, stage: str) -> None:
            if stage == "inspect":
                time.sleep(0.01)
                os.utime(model / "inference.json")

    cache = tmp_path / "cache"
    report = run_conversion([model], tmp_path / "out", OPTIONS, cache=cache, observer=Toucher())

    assert report.exit_code == 0
    assert "changed meanwhile" in report.models[0].stages[-2].messages[-1].text
    assert statuses(run(tmp_path / "out2", cache, model))["validate"] == "ok"


COMPILED = CompileOptions(soc="Ascend310P3")


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_what_follows_a_kept_result_is_as_without_one(kept, filled, tmp_path):
    """Whichever stages are in the cache: the script for atc has the shapes of inference.yml."""
    model = Path(shutil.copytree(filled[2][0], tmp_path / "model"))
    shapes = "x: [[1, 3, 32, 32], [1, 3, 48, 64], [1, 3, 96, 96]]"
    (model / "inference.yml").write_text(
        f"Hpi: {{backend_configs: {{tensorrt: {{dynamic_shapes: {{{shapes}}}}}}}}}\n"
    )
    run(tmp_path / "first", tmp_path / "cache", model)
    cache = Cache.open(tmp_path / "cache")
    for key in cache.entries.keys():  # noqa: SIM118 - no mapping
        text = cache.entries.read_bytes(key)[:60]
        if any(f'"stage":"{stage}"'.encode() in text for stage in STAGES[kept:]):
            cache.entries.remove(key)
    whole = run(tmp_path / "whole", None, model, compile=COMPILED)
    assert "x:1,3,48,64" in (tmp_path / "whole" / "model" / "atc.sh").read_text()
    report = run(tmp_path / "out", tmp_path / "cache", model, compile=COMPILED)

    assert [stage.cached for stage in report.models[0].stages] == [True] * kept + [False] * (
        len(STAGES) - kept
    )
    assert told(report) == told(whole)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


class At(Silent):
    """Does something once, when the first model starts."""

    def __init__(self, action):
        self._action = action

    def model_started(self, name: str) -> None:
        action, self._action = self._action, None
        if action:
            action()


@pytest.mark.parametrize("there", [(), ("inference.json",)], ids=["nothing", "no-weights"])
def test_a_model_that_arrives_meanwhile_is_nothing_to_others(there, filled, tmp_path):
    """The keys were those of a directory without it, and of every other such directory."""
    first, tiny = filled[2][1], filled[2][0]
    for name in ("late", "other"):
        (tmp_path / name).mkdir()
        for file in there:
            shutil.copy(tiny / file, tmp_path / name)
    observer = At(lambda: shutil.copytree(tiny, tmp_path / "late", dirs_exist_ok=True))
    cache, sources = tmp_path / "cache", [first, tmp_path / "late"]
    report = run_conversion(
        sources, tmp_path / "o", OPTIONS, jobs=1, cache=cache, observer=observer
    )
    assert report.exit_code == 0, "the model came too late for this test"
    assert "changed while this was made" in report.models[1].stages[0].messages[-1].text

    other = run(tmp_path / "o2", cache, tmp_path / "other").models[0]

    assert other.failure is not None
    assert not (tmp_path / "o2" / "other").exists()


def test_a_verdict_on_other_data_is_not_kept(filled, tmp_path):
    model, data = filled[2][0], tmp_path / "data.npy"
    good = np.full((1, 3, 32, 32), 0.25, "float32")
    np.save(data, good)
    cache = tmp_path / "cache"
    run_conversion(
        [model],
        tmp_path / "o",
        OPTIONS.model_copy(update={"data": (str(data),)}),
        cache=cache,
        observer=At(lambda: np.save(data, np.zeros((2, 3, 64, 64), "float32"))),
    )
    np.save(data, good)

    again = run(tmp_path / "o2", cache, model, data=(str(data),)).models[0]

    (validate,) = [stage for stage in again.stages if stage.stage == "validate"]
    assert not validate.cached
    assert [c.input_shapes["x"] for c in validate.facts.cases][-2:].count((1, 3, 32, 32)) >= 1


def test_a_published_file_that_changes_before_the_end_is_not_ours(filled, tmp_path, monkeypatch):
    monkeypatch.setattr("converter.engine.cache.digests._SETTLED", -(10**12))
    tiny, cls = filled[2]
    out, cache = tmp_path / "out", tmp_path / "cache"
    file = out / "tiny_pir" / "inference.onnx"

    class Damager(Silent):
        def model_finished(self, report) -> None:
            if report.name == "tiny_pir":
                data = bytearray(file.read_bytes())
                data[-1] ^= 1
                file.write_bytes(data)

    run_conversion([tiny, cls], out, OPTIONS, jobs=1, cache=cache, observer=Damager())
    whole = (filled[1] / "tiny_pir" / "inference.onnx").read_bytes()
    assert file.read_bytes() != whole

    again = run(out, cache, tiny, cls).models[0]

    assert again.failure is not None  # without --force: it may be somebody's work
    assert "was changed since" in again.failure.error.message


@pytest.mark.parametrize("cached", [True, False])
def test_a_source_that_changes_meanwhile_is_told(cached, filled, tmp_path):
    model = Path(shutil.copytree(filled[2][0], tmp_path / "tiny_pir"))
    params = model / "inference.pdiparams"
    data = bytearray(params.read_bytes())
    data[-4:] = struct.pack("<f", struct.unpack("<f", data[-4:])[0] + 1)
    cache = tmp_path / "cache" if cached else None
    report = run_conversion(
        [model], tmp_path / "o", OPTIONS, cache=cache, observer=At(lambda: params.write_bytes(data))
    ).models[0]

    assert report.status is Status.DEGRADED
    assert report.stages[0].messages[-1].text == "inference.pdiparams changed while this was made"
    digests = {Path(file.path).name: file.sha256 for file in report.inputs}
    assert digests["inference.pdiparams"] == hashlib.sha256(data).hexdigest()


def two_copies(filled, tmp_path) -> list[Path]:
    """The angle classifier, which goes first, and the tiny model."""
    return [Path(shutil.copytree(model, tmp_path / model.name)) for model in filled[2][::-1]]


def test_a_source_that_changes_when_its_model_is_done_is_no_concern(filled, tmp_path):
    models = two_copies(filled, tmp_path)
    params = models[0] / "inference.pdiparams"
    before = hashlib.sha256(params.read_bytes()).hexdigest()

    class Later(Silent):
        def model_started(self, name: str) -> None:
            if name == "tiny_pir":
                params.write_bytes(params.read_bytes() + b"more")

    report = run_conversion(models, tmp_path / "o", OPTIONS, jobs=1, observer=Later()).models[0]

    assert report.status is Status.OK
    assert {Path(f.path).name: f.sha256 for f in report.inputs}["inference.pdiparams"] == before


def test_a_model_that_never_began_is_interrupted_whatever_its_files_did(filled, tmp_path):
    models = two_copies(filled, tmp_path)

    def stop():
        (models[1] / "inference.pdiparams").write_bytes(b"other")
        raise KeyboardInterrupt

    report = run_conversion(models, tmp_path / "o", OPTIONS, jobs=1, observer=At(stop)).models[1]

    assert report.status is Status.INTERRUPTED
    assert not report.stages[0].messages or "changed" not in report.stages[0].messages[-1].text


def test_nothing_is_taken_for_a_model_that_changes_after_planning(filled, cache, tmp_path):
    """Its export has to run; what came after the old one's is still there, by the same keys."""
    model = Path(shutil.copytree(filled[2][0], tmp_path / "tiny_pir"))
    kept = Cache.open(cache)
    for key in kept.entries.keys():  # noqa: SIM118 - no mapping
        if b'"stage":"export"' in kept.entries.read_bytes(key)[:40]:
            kept.entries.remove(key)
    params = model / "inference.pdiparams"
    data = bytearray(params.read_bytes())
    data[-4:] = struct.pack("<f", struct.unpack("<f", data[-4:])[0] + 1)

    class Changer(Silent):
        def model_started(self, name: str) -> None:
            params.write_bytes(data)

    out = tmp_path / "out"
    report = run_conversion([model], out, OPTIONS, cache=cache, observer=Changer())

    assert report.exit_code == 0
    assert not any(stage.cached for stage in report.models[0].stages)
    afresh = run(tmp_path / "afresh", None, model)
    facts = [[stage["facts"] for stage in told(each)[0]["stages"]] for each in (report, afresh)]
    assert facts[0] == facts[1]  # the differences to Paddle's outputs among them
    assert files_of(out) == files_of(tmp_path / "afresh") != {}
    assert (
        files_of(out)["tiny_pir/inference.onnx"] != files_of(filled[1])["tiny_pir/inference.onnx"]
    )
