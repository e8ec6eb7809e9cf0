"""Verdicts on files that were made again, and the exit code that they come to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from converter.engine.cache.digests import Digests
from converter.engine.origin import moved
from converter.engine.reproduce import compare, look_around
from converter.engine.reproduced import compared_models, compared_pipelines
from converter.model.artefacts import describe_artefact, sha256_of
from converter.model.recipe import PlannedPipeline
from converter.model.reproduction import Reproduction, SourceChange, Surroundings, ToolChange
from converter.model.result import (
    Artefact,
    ErrorInfo,
    Message,
    ModelReport,
    PipelineReport,
    RunReport,
    StageResult,
    Status,
)
from converter.model.run_manifest import manifest_of, path_in_model
from converter.model.task import ConvertOptions
from converter.paddlex.config_file import check_ours, relocated, write_config


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file(path: str, digest: str) -> Artefact:
    return Artefact(path=path, bytes=1, sha256=digest * 64)


def stage(name: str, *files: Artefact, status: Status = Status.OK, **more: object) -> StageResult:
    return StageResult.model_validate({"stage": name, "status": status, "artefacts": files, **more})


def run(*models: ModelReport, **more: object) -> RunReport:
    values = {
        "version": "1",
        "command": "c",
        "started": "2026-01-01",
        "seconds": 1.0,
        "platform": "p",
        "versions": {},
        "out_dir": "/out",
        "models": models,
    }
    return RunReport.model_validate(values | more)


def model(*stages: StageResult) -> ModelReport:
    return ModelReport(name="m", source="/s/m", stages=stages, options=ConvertOptions())


ONNX, OM = file("m/inference.onnx", "a"), file("m/inference.om", "b")
THEN = run(model(stage("export", ONNX), stage("compile", OM)))
BROKEN = ErrorInfo(message="no mapper", hint="h", exit_code=1)
CRASH = ErrorInfo(message="killed", hint="h", exit_code=4)
NO_ATC = (Message(level="info", text="atc not found"),)
AROUND = Surroundings(
    tools=(ToolChange(name="onnx", recorded="1.16", here="1.17"),),
    sources=(SourceChange(path="/s/m/x", state="changed", models=("m",)),),
)


def reproduction(now: RunReport, then: RunReport = THEN, around=AROUND) -> Reproduction:
    manifest = manifest_of(then)
    assert manifest is not None
    models, files = compared_models(manifest, now, around)
    return Reproduction(
        manifest="x",
        directory="y",
        kept=False,
        surroundings=around,
        interrupted=now.interrupted,
        models=tuple(models),
        files=tuple(files),
    )


@pytest.mark.parametrize(
    ("stages", "verdicts", "exit_code"),
    [
        ([stage("export", ONNX), stage("compile", OM)], ["equal", "equal"], 0),
        (
            [stage("export", file("m/inference.onnx", "c")), stage("compile", OM)],
            ["equal", "different"],
            3,
        ),
        ([stage("export", ONNX), stage("compile")], ["missing", "equal"], 3),
        (
            [stage("export", ONNX), stage("compile", status=Status.SKIPPED, messages=NO_ATC)],
            ["not reproduced", "equal"],
            1,
        ),
        (
            [stage("export", ONNX), stage("compile", OM, file("m/weight/w", "d"))],
            ["equal", "equal", "new"],
            3,
        ),
        # atc failed: that is no missing tool, and the exit code is the failure's.
        (
            [stage("export", ONNX), stage("compile", status=Status.FAILED, error=BROKEN)],
            ["missing", "equal"],
            1,
        ),
        ([stage("export", status=Status.CRASHED, error=CRASH)], ["missing", "missing"], 4),
        # What was made is equal, and yet it is not the same run.
        (
            [stage("export", ONNX, status=Status.DEGRADED), stage("compile", OM)],
            ["equal", "equal"],
            3,
        ),
    ],
)
def test_verdicts(stages, verdicts, exit_code):
    result = reproduction(run(model(*stages)))

    assert [file.verdict.value for file in result.files] == verdicts
    assert result.exit_code == exit_code


def test_reasons_are_of_the_model_or_say_that_there_is_none():
    now = run(model(stage("export", file("m/inference.onnx", "c")), stage("compile", OM)))

    different = reproduction(now).files[1]
    assert different.why == ("source /s/m/x changed", "onnx 1.16 → 1.17")
    alike = reproduction(now, around=Surroundings()).files[1]
    assert "nothing that was recorded differs" in alike.why[0]


def test_nothing_compared_is_not_success():
    failed = run(model(stage("inspect", status=Status.FAILED, error=BROKEN)))

    assert reproduction(failed, failed).exit_code == 1


def test_an_interruption_counts_most_and_blames_no_file(tmp_path):
    interrupted = run(model(stage("export", status=Status.SKIPPED)), interrupted=True)
    manifest = manifest_of(THEN)
    assert manifest is not None

    result = compare(
        manifest, interrupted, tmp_path, file=tmp_path / "x", surroundings=AROUND, kept=False
    )

    assert result.exit_code == 130
    assert {(f.verdict.value, f.why) for f in result.files} == {
        ("not reproduced", ("interrupted",))
    }


def test_configs_are_compared_as_if_made_in_the_same_directory(tmp_path):
    asked = PlannedPipeline(name="OCR", base="OCR", out="OCR.yaml")
    there, here = tmp_path / "there", tmp_path / "here"
    for directory in (there, here):
        write_config(directory / "OCR.yaml", f"model_dir: {directory}/m\nk: 1\n")
    data = (there / "OCR.yaml").read_bytes()
    (here / "marked.yaml").write_bytes(
        relocated((here / "OCR.yaml").read_bytes(), str(here), str(there))
    )
    assert (here / "marked.yaml").read_bytes() == data
    check_ours(here / "marked.yaml")
    assert relocated(b"plain " + str(here).encode(), str(here), "x") == f"plain {here}".encode()

    def verdict(text: str) -> str:
        write_config(here / "OCR.yaml", text)
        made = described(here)
        manifest = manifest_of(run(model(), out_dir=str(there), pipelines=(described(there),)))
        assert manifest is not None
        now = run(model(), pipelines=(made,))
        (compared,) = compared_pipelines(manifest, now, here, Surroundings(), [])
        return compared.verdict.value

    def described(directory: Path) -> PipelineReport:
        config = directory / "OCR.yaml"
        made = describe_artefact(config, directory, sha256_of(config))
        return PipelineReport(
            name="OCR",
            config="OCR.yaml",
            backend="onnx",
            modules={},
            asked=asked,
            artefacts=(made,),
        )

    assert verdict(f"model_dir: {here}/m\nk: 1\n") == "equal"
    assert verdict(f"model_dir: {here}/m\nk: 2\n") == "different"


def test_every_file_of_a_run_may_have_been_edited(tmp_path):
    """Models' OM files and scripts, and pipelines' configs and what was written beside them."""
    in_model = ("inference.onnx", "inference.om", "atc.sh")
    of_pipeline = ("OCR.yaml", "OCR.run.py", "OCR-models/rec/inference.yml")
    names = (*(f"m/{name}" for name in in_model), *of_pipeline)
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    made = {name: describe_artefact(tmp_path / name, tmp_path, digest_of(name)) for name in names}
    pipeline = PipelineReport(
        name="OCR",
        config="OCR.yaml",
        backend="onnx",
        modules={},
        asked=PlannedPipeline(name="OCR", base="OCR", out="OCR.yaml"),
        artefacts=tuple(made[name] for name in of_pipeline),
    )
    files = [made[f"m/{name}"] for name in in_model]
    manifest = manifest_of(run(model(stage("export", *files)), pipelines=(pipeline,)))
    assert manifest is not None

    assert look_around(manifest, tmp_path, Digests(None)).edited == ()
    for name in names:
        (tmp_path / name).write_text("edited")
    assert sorted(look_around(manifest, tmp_path, Digests(None)).edited) == sorted(names)


def test_paths_in_a_model_whatever_the_report_is_relative_to():
    assert path_in_model("m/inference.onnx", "m") == "inference.onnx"
    assert path_in_model("../shard2/m/rejected/inference.onnx", "m") == "rejected/inference.onnx"
    assert path_in_model("../m/m/inference.onnx", "m") == "inference.onnx"


def test_the_longest_beginning_moves_a_path():
    moves = {"/a": "/x", "/a/b": "/y"}

    assert moved("/a/b/c", moves) == "/y/c"
    assert moved("/a/bc", moves) == "/x/bc"
    assert moved("/z", moves) == "/z"


def test_what_was_never_finished_is_no_measure():
    """A failure is not new in a model of which nobody knows that it ever passed."""
    then = run(model(stage("export", status=Status.INTERRUPTED)), interrupted=True)
    result = reproduction(run(model(stage("export", status=Status.CRASHED, error=CRASH))), then)
    assert [(m.recorded, m.now, m.exit_code) for m in result.models] == [
        (Status.INTERRUPTED, Status.CRASHED, 0)
    ]
    assert result.exit_code == 3
