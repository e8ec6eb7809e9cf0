"""Warns of what goes wrong with a config that looks right; the words are in data/traps.json."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from converter.model.record import Record
from converter.paddlex import tables
from converter.paddlex.inheritance import effective
from converter.paddlex.om_shape import compiled_inputs
from converter.paddlex.render import Rendered, Served
from converter.paddlex.targets import Target

#: Narrower than this, a recogniser loses characters of lines that people write.
_WIDE = 640

_DYNAMIC_FILES = ("model_state.pdparams", "model.safetensors")


class TrapWarning(Record):
    """A trap that this config would run into: its id in the table, and what to do."""

    id: str
    message: str
    fix: str
    known: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class _Config:
    """A rendered config with what the traps ask of it: only modules that PaddleX creates."""

    rendered: Rendered
    target: Target
    file: Path

    @property
    def enabled(self) -> list[Served]:
        return [item for item in self.rendered.served if item.enabled]

    def on(self, *routes: str) -> list[Served]:
        return [s for s in self.enabled if s.match.placement and s.match.placement.route in routes]

    @property
    def with_hpi(self) -> list[Served]:
        return [item for item in self.enabled if item.form in ("om", "onnx-hpi")]

    @property
    def devices(self) -> list[str]:
        placed = [s.match.placement for s in self.enabled if s.match.placement]
        return sorted({str(placement.device) for placement in placed})

    @property
    def by_paddleocr(self) -> bool:
        return self.target.wrapper == "paddleocr"


#: Modules that the trap concerns, and the values that its words take.
_Found = Iterator[tuple[list[Served], dict[str, object]]]
_FINDERS: dict[str, Callable[[_Config], _Found]] = {}


def warnings_for(rendered: Rendered, target: Target, file: Path) -> tuple[TrapWarning, ...]:
    """The traps that the config, written to ``file``, would run into, in the table's order."""
    config = _Config(rendered, target, file)
    found = []
    for trap_id in tables.trap_ids():
        words = tables.trap(trap_id)
        for items, values in _FINDERS[trap_id](config):
            values = {"config": json.dumps(str(file), ensure_ascii=False), **values}
            found.append(
                TrapWarning(
                    id=trap_id,
                    message=words["message"].format(**values),
                    fix=words["fix"].format(**values),
                    known=words["known"],
                    modules=tuple(item.match.module.name for item in items),
                )
            )
    return tuple(found)


def _finds(trap_id: str) -> Callable[[Callable[[_Config], _Found]], Callable[[_Config], _Found]]:
    def register(finder: Callable[[_Config], _Found]) -> Callable[[_Config], _Found]:
        _FINDERS[trap_id] = finder
        return finder

    return register


def _all(items: list[Served], **values: object) -> _Found:
    if items:
        yield items, values


@_finds("device-argument")
def _device_argument(config: _Config) -> _Found:
    if len(config.devices) > 1 and not config.by_paddleocr:
        yield from _all(config.on("om", "onnx", "paddle", "cann"))


@_finds("paddleocr-device")
def _paddleocr_device(config: _Config) -> _Found:
    if len(config.devices) > 1 and config.by_paddleocr:
        yield from _all(config.on("om", "onnx", "paddle", "cann"))


@_finds("paddleocr-default-device")
def _paddleocr_default_device(config: _Config) -> _Found:
    if len(config.devices) == 1 and config.by_paddleocr and not config.on("cann"):
        yield from _all(config.on("om", "onnx", "paddle"), device=config.devices[0])


@_finds("paddleocr-cann")
def _paddleocr_cann(config: _Config) -> _Found:
    if config.by_paddleocr:
        yield from _all(config.on("cann"))


@_finds("paddleocr-model-names")
def _paddleocr_model_names(config: _Config) -> _Found:
    if config.by_paddleocr and config.target.paddlex == (3, 7):
        ocr = config.rendered.pipeline.name == "OCR"
        items = [s for s in config.enabled if ocr and s.match.module.name == "TextDetection"]
        for item in items:
            model = item.match.model
            yield [item], {"detector": model.model_name if model else item.match.module.model_name}


@_finds("paddleocr-not-run")
def _paddleocr_not_run(config: _Config) -> _Found:
    if config.by_paddleocr and config.target.paddlex < (3, 2):
        yield from _all(config.with_hpi)


@_finds("hpi-plugin")
def _hpi_plugin(config: _Config) -> _Found:
    kinds = {s.match.placement.device.kind for s in config.with_hpi if s.match.placement}
    kind = next((kind for kind in ("npu", "gpu") if kind in kinds), "cpu")
    yield from _all(config.with_hpi, kind=kind)


@_finds("onnxruntime-gpu")
def _onnxruntime_gpu(config: _Config) -> _Found:
    on_gpu = [s for s in config.on("onnx") if s.form == "onnx-engine" and _kind(s) == "gpu"]
    yield from _all(on_gpu)


@_finds("recognition-width")
def _recognition_width(config: _Config) -> _Found:
    for item in config.on("om"):
        if item.role == "text_recognition" and item.input_shape and item.input_shape[2] < _WIDE:
            yield [item], {"width": item.input_shape[2]}


@_finds("detection-stretch")
def _detection_stretch(config: _Config) -> _Found:
    for item in config.on("om"):
        if item.role in ("text_detection", "seal_text_detection") and item.input_shape:
            yield [item], {"height": item.input_shape[1], "width": item.input_shape[2]}


@_finds("input-shape-without-om")
def _input_shape_without_om(config: _Config) -> _Found:
    yield from _all(
        [
            item
            for item in config.on("onnx", "cann", "paddle")
            if item.match.module.reads_input_shape and item.match.module.settings.get("input_shape")
        ]
    )


@_finds("arm-detection-hang")
def _arm_detection_hang(config: _Config) -> _Found:
    yield from _all([s for s in config.on("om") if _name(s) == "PP-OCRv4_mobile_det"])


@_finds("om-not-documented")
def _om_not_documented(config: _Config) -> _Found:
    yield from _all([s for s in config.on("om") if not tables.is_om_documented(_name(s))])


@_finds("om-data-dependent")
def _om_data_dependent(config: _Config) -> _Found:
    items = [s for s in config.on("om") if tables.has_data_dependent_outputs(_name(s))]
    yield from _all(items, first=_name(items[0]) if items else "")


@_finds("om-reading-order")
def _om_reading_order(config: _Config) -> _Found:
    items = [s for s in config.on("om") if _name(s) == "PP-DocLayoutV2"]
    yield from _all(items, first="PP-DocLayoutV2")


@_finds("om-input-order")
def _om_input_order(config: _Config) -> _Found:
    for item in config.on("om"):
        inputs = compiled_inputs(item.match.model) if item.match.model else None
        if inputs and list(inputs) != sorted(inputs):
            shapes = (f"{name}:{','.join(map(str, inputs[name]))}" for name in sorted(inputs))
            yield [item], {"order": shlex.join(["--input_shape", ";".join(shapes)])}


@_finds("cann-experimental")
def _cann_experimental(config: _Config) -> _Found:
    yield from _all(config.on("cann"))


@_finds("cann-beside-om")
def _cann_beside_om(config: _Config) -> _Found:
    if config.on("om"):
        yield from _all(config.on("cann"))


@_finds("dynamic-files")
def _dynamic_files(config: _Config) -> _Found:
    if config.target.paddlex == (3, 4):
        for item in config.with_hpi:
            directory = item.match.model.directory if item.match.model else Path()
            if any((directory / name).is_file() for name in _DYNAMIC_FILES):
                yield [item], {"directory": directory}


@_finds("paddle-device-argument")
def _paddle_device_argument(config: _Config) -> _Found:
    if not config.target.has_engine:
        for item in config.on("paddle")[:1]:
            if item.match.placement and item.match.placement.device.kind != "cpu":
                yield config.on("paddle"), {"device": item.match.placement.device}


@_finds("paddle-on-npu")
def _paddle_on_npu(config: _Config) -> _Found:
    yield from _all([s for s in config.on("paddle") if _kind(s) == "npu"])


@_finds("left-to-paddlex")
def _left_to_paddlex(config: _Config) -> _Found:
    items = [s for s in config.enabled if s.match.how == "none"]
    names = dict.fromkeys(item.match.module.model_name for item in items)
    yield from _all(items, models=", ".join(names))


@_finds("left-inherits")
def _left_inherits(config: _Config) -> _Found:
    for item in config.enabled:
        module = item.match.module
        if item.match.model is None and module.model_name and module.is_model:
            engine, _ = effective(module, config.target).runtime()
            if engine in ("hpi", "onnxruntime"):
                yield [item], {"engine": engine}


def _kind(item: Served) -> str:
    return item.match.placement.device.kind if item.match.placement else ""


def _name(item: Served) -> str:
    return item.match.model.model_name if item.match.model else ""
