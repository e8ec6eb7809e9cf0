"""A converted model's components: the Paddle model, the ONNX file made of it, the OM file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from converter.accuracy.user_data import ARRAYS, IMAGES
from converter.model.comparison import OutputComparison, ValidateFacts
from converter.model.compile_options import CONFIG_FILES
from converter.model.result import (
    Artefact,
    CompileFacts,
    ExportFacts,
    InspectFacts,
    ModelReport,
    SourceFile,
)
from converter.model.roles import role_of
from converter.model.run_manifest import path_in_model
from converter.model.task import ConvertOptions
from converter.model.tensor import TensorSpec

#: Where a failed model's files are; none of them is delivered.
_REJECTED = "rejected"


class Graph:
    """Components by reference, and what each depends on."""

    def __init__(self) -> None:
        self.components: list[dict[str, Any]] = []
        self.source_refs: dict[tuple[str, ...], str] = {}
        self._refs: set[str] = set()
        self._depends: dict[str, list[str]] = {}

    def add(self, ref: str, component: dict[str, Any]) -> str:
        """Add a component; its reference, which is ``ref`` unless another one has that."""
        unique, number = ref, 1
        while unique in self._refs:
            number += 1
            unique = f"{ref}#{number}"
        self._refs.add(unique)
        kind = component.pop("type")
        self.components.append({"type": kind, "bom-ref": unique, **component})
        return unique

    def depend(self, ref: str, on: Iterable[str]) -> None:
        """Note that ``ref`` is made of, or needs, the components ``on``."""
        self._depends.setdefault(ref, []).extend(on)

    def dependencies(self) -> list[dict[str, Any]]:
        """The dependencies as CycloneDX has them, every component named once."""
        known = dict.fromkeys([*self._depends, *(c["bom-ref"] for c in self.components)])
        return [
            {"ref": ref, "dependsOn": list(dict.fromkeys(on))} if on else {"ref": ref}
            for ref in known
            for on in [self._depends.get(ref, [])]
        ]

    @staticmethod
    def file(name: str, sha256: str) -> dict[str, Any]:
        """A file that is part of a component."""
        return {
            "type": "file",
            "name": name,
            "hashes": [{"alg": "SHA-256", "content": sha256}],
        }


def add_model(graph: Graph, model: ModelReport) -> tuple[str, ...]:
    """Add what was published of a model; references of what PaddleX or a user may run.

    Nothing when the model failed, except where atc alone did: then its ONNX file is there.
    """
    made = {
        path_in_model(artefact.path, model.name): artefact
        for stage in model.stages
        for artefact in stage.artefacts
    }
    made = {path: each for path, each in made.items() if PurePath(path).parts[0] != _REJECTED}
    if "inference.onnx" not in made:
        return ()
    source = _add_source(graph, model)
    onnx = _add_onnx(graph, model, "inference.onnx", made, with_metrics=True)
    graph.depend(onnx, [source, *_add_named(graph, model)])
    final, origin = [onnx], onnx
    if "atc.onnx" in made:
        origin = _add_onnx(graph, model, "atc.onnx", made)
        graph.depend(origin, [onnx])
    if "inference.om" in made:
        om = _add_om(graph, model, made)
        graph.depend(om, [origin])
        final.append(om)
    rest = [path for path in made if path not in _ML_FILES]
    files = [graph.add(f"file/{model.name}/{p}", graph.file(p, made[p].sha256)) for p in rest]
    graph.depend(onnx, files)
    return tuple(final)


_ML_FILES = frozenset(
    {"inference.onnx", "inference.onnx.data", "atc.onnx", "atc.onnx.data", "inference.om"}
)


def _add_source(graph: Graph, model: ModelReport) -> str:
    """The Paddle model; variants of one model share it."""
    key = (model.source, *(file.sha256 for file in _own_files(model)))
    if key in graph.source_refs:
        return graph.source_refs[key]
    facts = model.facts("inspect")
    name = model.model or model.name
    card: dict[str, Any] = {}
    told: dict[str, object] = {"source": model.source}
    if isinstance(facts, InspectFacts):
        name = facts.model_name or name
        card = {"modelParameters": _parameters(facts.model_name, facts.inputs, facts.outputs)}
        told |= {
            "format": facts.format,
            "saved-by-paddle": facts.paddle_version,
            "parameter-count": facts.parameter_count,
            "parameter-bytes": facts.parameter_bytes,
        }
    component = {
        "type": "machine-learning-model",
        "name": name,
        "description": "PaddlePaddle model",
        "components": [graph.file(Path(f.path).name, f.sha256) for f in _own_files(model)],
        "modelCard": card,
        "properties": _properties(told),
    }
    ref = graph.add(f"paddle/{model.model or model.name}", _without_empty(component))
    graph.source_refs[key] = ref
    return ref


def _own_files(model: ModelReport) -> Sequence[SourceFile]:
    source, options = Path(model.source), model.options
    others = [f for f in model.inputs if not (options and _names(options, Path(f.path)))]
    inside = [f for f in others if Path(f.path).is_relative_to(source)]
    # A program file was named: what lies beside it is the model too.
    return inside or [f for f in others if Path(f.path).parent == source.parent]


def _names(options: ConvertOptions, file: Path) -> bool:
    """Whether options name a file, or a folder with data in which it is; also beside the model."""
    compiled = options.compile
    texts = [compiled.aipp, *(getattr(compiled, name) for name in CONFIG_FILES)]
    named = {Path(text).absolute() for text in (*texts, *compiled.flags.values()) if text}
    data = {Path(text).absolute() for text in options.data}
    is_data = file.suffix.lower() in IMAGES + ARRAYS
    return file in named | data or (is_data and file.parent in data)


def _add_named(graph: Graph, model: ModelReport) -> list[str]:
    """Files that the options name: data that the gate compared on, and what atc was given."""
    own = set(_own_files(model))
    refs = []
    for file in model.inputs:
        if file in own:
            continue
        key = (file.path, file.sha256)
        if key not in graph.source_refs:
            component = graph.file(Path(file.path).name, file.sha256)
            graph.source_refs[key] = graph.add(f"input/{Path(file.path).name}", component)
        refs.append(graph.source_refs[key])
    return refs


def _add_onnx(
    graph: Graph,
    model: ModelReport,
    path: str,
    made: dict[str, Artefact],
    *,
    with_metrics: bool = False,
) -> str:
    inspected, exported = model.facts("inspect"), model.facts("export")
    name = inspected.model_name if isinstance(inspected, InspectFacts) else None
    card: dict[str, Any] = {}
    told: dict[str, object] = {"path": made[path].path, "bytes": made[path].bytes}
    if isinstance(exported, ExportFacts) and with_metrics:
        card["modelParameters"] = _parameters(name, exported.inputs, exported.outputs)
        told |= {"opset": exported.opset, "ir-version": exported.ir_version}
    validated = model.facts("validate")
    if isinstance(validated, ValidateFacts) and with_metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": _metrics(validated)}
    told |= {f"variant:{axis}": value for axis, value in model.variant.items()}
    weights = made.get(f"{path}.data")
    component = {
        "type": "machine-learning-model",
        "name": f"{model.name}/{path}",
        "description": "ONNX model" if path == "inference.onnx" else "ONNX model as atc gets it",
        "hashes": [{"alg": "SHA-256", "content": made[path].sha256}],
        "components": [graph.file(f"{path}.data", weights.sha256)] if weights else [],
        "modelCard": _without_empty(card),
        "properties": _properties(told),
    }
    return graph.add(f"onnx/{model.name}/{path}", _without_empty(component))


def _add_om(graph: Graph, model: ModelReport, made: dict[str, Artefact]) -> str:
    om = made["inference.om"]
    facts = model.facts("compile") or model.facts("import")
    told: dict[str, object] = {"path": om.path, "bytes": om.bytes}
    card: dict[str, Any] = {}
    if isinstance(facts, CompileFacts):
        told |= {"soc-version": facts.soc_version, "input-shape": facts.input_shape}
        card["modelParameters"] = {
            "inputs": [{"format": text} for text in facts.om_inputs],
            "outputs": [{"format": text} for text in facts.om_outputs],
        }
    component = {
        "type": "machine-learning-model",
        "name": f"{model.name}/inference.om",
        "description": "Ascend OM model",
        "hashes": [{"alg": "SHA-256", "content": om.sha256}],
        "modelCard": card,
        "properties": _properties(told),
    }
    return graph.add(f"om/{model.name}/inference.om", _without_empty(component))


def _parameters(
    name: str | None, inputs: Iterable[TensorSpec], outputs: Iterable[TensorSpec]
) -> dict[str, Any]:
    return _without_empty(
        {
            "task": role_of(name, {}),
            "modelArchitecture": name,
            "inputs": [{"format": str(spec)} for spec in inputs],
            "outputs": [{"format": str(spec)} for spec in outputs],
        }
    )


def _metrics(facts: ValidateFacts) -> list[dict[str, str]]:
    """The worst of every output over all cases, against native Paddle."""
    by_output: dict[str, list[OutputComparison]] = {}
    for case in facts.cases:
        for output in case.outputs:
            by_output.setdefault(output.name, []).append(output)
    metrics = []
    for name, outputs in by_output.items():
        seen = f"output {name}, {len(outputs)} case{'' if len(outputs) == 1 else 's'}"
        worst = max(outputs, key=lambda each: (each.max_abs != each.max_abs, each.max_abs))
        least = min(outputs, key=lambda each: (each.cosine == each.cosine, each.cosine))
        for kind, value in (
            ("max absolute difference to Paddle", worst.max_abs),
            ("least cosine similarity to Paddle", least.cosine),
        ):
            metrics.append({"type": kind, "value": repr(value), "slice": seen})
    return metrics


def _properties(told: dict[str, object]) -> list[dict[str, str]]:
    return [
        {"name": f"paddle2om:{name}", "value": str(value)}
        for name, value in told.items()
        if value is not None
    ]


def _without_empty(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value not in (None, {}, [])}
