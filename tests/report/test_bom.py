"""The CycloneDX bill of materials, judged by the official schema."""

from __future__ import annotations

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from converter.errors import InputError
from converter.model.result import Artefact, RunReport, SourceFile
from converter.model.run_manifest import manifest_of, require_manifest
from converter.model.task import ConvertOptions
from converter.report.bom.document import render_bom
from tests.report import report_builders as build

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def with_origin(report: RunReport) -> RunReport:
    """The report as ``build`` makes it: artefacts in the models' directories, and sources."""

    def placed(model):
        stages = []
        for stage in model.stages:
            moved = [
                a.model_copy(update={"path": a.path.replace("rec/", f"{model.name}/")})
                for a in stage.artefacts
                if "simplified" not in a.path
            ]
            stages.append(stage.model_copy(update={"artefacts": tuple(moved)}))
        source = f"/zoo/{model.model or model.name}"
        inputs = [
            SourceFile(path=f"{source}/inference.json", bytes=1, sha256="1" * 64),
            SourceFile(path="/data/page.npz", bytes=2, sha256="2" * 64),
        ]
        changes = {"source": source, "stages": tuple(stages), "inputs": tuple(inputs)}
        return model.model_copy(update=changes | {"options": ConvertOptions()})

    return report.model_copy(update={"models": tuple(map(placed, report.models))})


def bom_of(report: RunReport) -> dict:
    """The BOM; the official schema has nothing to say against it, and every reference is known."""
    text = render_bom(report, require_manifest(report, None))
    assert VALIDATOR.validate_str(text) is None
    bom = json.loads(text)
    components = [*bom["components"], *bom["metadata"]["tools"]["components"]]
    refs = [each["bom-ref"] for each in [bom["metadata"]["component"], *components]]
    assert len(refs) == len(set(refs))
    told = [each["ref"] for each in bom["dependencies"]]
    assert sorted(told) == sorted(refs)
    assert all(on in refs for each in bom["dependencies"] for on in each.get("dependsOn", ()))
    return bom


def depends(bom: dict) -> dict[str, list[str]]:
    return {each["ref"]: each.get("dependsOn", []) for each in bom["dependencies"]}


@pytest.mark.parametrize("name", sorted(build.REPORTS.keys() - {"empty"}))
def test_every_report_makes_a_valid_bom(name):
    bom_of(with_origin(build.REPORTS[name]()))


def test_the_schema_has_teeth():
    text = render_bom(*_pair(build.all_ok()))
    assert VALIDATOR.validate_str(text.replace('"SHA-256"', '"SHA-255"')) is not None


def _pair(report: RunReport):
    report = with_origin(report)
    return report, require_manifest(report, None)


def test_from_the_paddle_model_to_the_om_file():
    report = with_origin(build.run([build.good("rec", om=True)]))
    bom = bom_of(report)
    by_ref = {each["bom-ref"]: each for each in bom["components"]}
    on = depends(bom)

    onnx, om = "onnx/rec/inference.onnx", "om/rec/inference.om"
    assert on["run"] == [onnx, om]
    assert on[om] == [onnx]
    assert on[onnx] == ["paddle/rec", "input/page.npz"]
    assert by_ref[onnx]["type"] == by_ref[om]["type"] == "machine-learning-model"
    assert by_ref[onnx]["hashes"] == [{"alg": "SHA-256", "content": "3f" * 32}]
    assert [f["name"] for f in by_ref["paddle/rec"]["components"]] == ["inference.json"]
    card = by_ref[onnx]["modelCard"]
    assert card["modelParameters"]["task"] == "text_recognition"
    assert card["modelParameters"]["inputs"] == [{"format": "x float32[batch,3,48,width]"}]
    worst, least = card["quantitativeAnalysis"]["performanceMetrics"]
    assert (worst["value"], least["value"]) == ("9.5367431640625e-06", "0.99999999")
    assert worst["slice"] == "output fetch_name_0, 2 cases"
    # Nobody knows the licence of a model.
    assert "licenses" not in by_ref["paddle/rec"]


def test_what_failed_is_left_out_and_rejected_files_too():
    broken = build.model(
        "bad", build.inspected(), build.exported(), build.failed("validate", "x", "y")
    )
    report = with_origin(build.run([broken, build.good("good")]))
    rejected = Artefact(path="bad/rejected/inference.onnx", bytes=1, sha256="9" * 64)
    bad = report.models[0]
    stages = (
        bad.stages[0],
        bad.stages[1].model_copy(update={"artefacts": (rejected,)}),
        bad.stages[2],
    )
    report = report.model_copy(
        update={"models": (bad.model_copy(update={"stages": stages}), report.models[1])}
    )

    text = json.dumps(bom_of(report))
    assert "good/inference.onnx" in text
    assert "9" * 64 not in text
    assert "paddle/bad" not in text


@pytest.mark.parametrize("whole", [False, True], ids=["file", "directory"])
def test_data_in_the_models_directory_are_no_part_of_it(whole):
    report = with_origin(build.run([build.good("rec")]))
    (model,) = report.models
    path = f"{model.source}/page.npy"
    named = SourceFile(path=path, bytes=3, sha256="3" * 64)
    changes = {
        "inputs": (*model.inputs, named),
        "options": ConvertOptions(data=(model.source if whole else path,)),
    }
    bom = bom_of(report.model_copy(update={"models": (model.model_copy(update=changes),)}))

    (paddle,) = [each for each in bom["components"] if each["bom-ref"] == "paddle/rec"]
    assert [file["name"] for file in paddle["components"]] == ["inference.json"]
    assert "input/page.npy" in depends(bom)["onnx/rec/inference.onnx"]


def test_variants_share_their_paddle_model():
    variants = [
        build.good(f"m-opset{opset}").model_copy(
            update={"model": "m", "variant": {"opset": str(opset)}}
        )
        for opset in (11, 13)
    ]
    bom = bom_of(with_origin(build.run(variants)))
    on = depends(bom)

    assert [ref for ref in on if ref.startswith("paddle/")] == ["paddle/m"]
    assert on["onnx/m-opset13/inference.onnx"][0] == "paddle/m"
    variant = {"name": "paddle2om:variant:opset", "value": "13"}
    assert any(variant in each.get("properties", ()) for each in bom["components"])


def test_licences_only_where_the_version_is_the_installed_one():
    from importlib.metadata import version

    versions = {"onnx": version("onnx"), "numpy": "0.1", "paddlepaddle": "1.0 | 2.0"}
    bom = bom_of(with_origin(build.run([build.good("m")], versions=versions)))
    libraries = {c["bom-ref"]: c for c in bom["components"] if c["type"] == "library"}

    assert libraries[f"library/onnx@{version('onnx')}"]["licenses"]
    assert "licenses" not in libraries["library/numpy@0.1"]
    assert libraries["library/paddlepaddle@2.0"]["purl"] == "pkg:pypi/paddlepaddle@2.0"
    assert all(each["scope"] == "excluded" for each in libraries.values())


def test_dasks_backport_of_the_metadata_gives_the_same_licences(monkeypatch):
    """Importing it replaces Python's own finder, and its answers raise for a missing field."""
    import importlib_metadata

    report, manifest = _pair(build.all_ok())
    expected = render_bom(report, manifest)
    monkeypatch.setattr("importlib.metadata.metadata", importlib_metadata.metadata)

    assert render_bom(report, manifest) == expected


def test_the_same_report_gives_the_same_bytes_and_another_run_another_number():
    report, manifest = _pair(build.all_ok())
    later = report.model_copy(update={"started": "2026-01-01T00:00:00+00:00"})

    assert render_bom(report, manifest) == render_bom(report, manifest)
    numbers = {json.loads(render_bom(r, manifest))["serialNumber"] for r in (report, later)}
    assert len(numbers) == 2


def test_a_report_of_another_command_has_no_bom():
    assert manifest_of(build.all_ok()) is None
    with pytest.raises(InputError, match="does not say how its models were made"):
        require_manifest(build.all_ok(), "report.json")
