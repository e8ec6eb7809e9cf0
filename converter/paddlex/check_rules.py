"""Mistakes in a config that PaddleX does not complain about, seen in what it opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from converter.errors import InputError
from converter.paddlex.check_failures import explain_failure
from converter.paddlex.check_seen import ModuleSeen, Opened, Problem
from converter.paddlex.intent import device_meant, engine_meant, uses_cann
from converter.paddlex.pipeline import Module


def problems_of(module: Module, seen: ModuleSeen, version: str) -> tuple[Problem, ...]:
    """All that is wrong with one module that PaddleX ``version`` created."""
    return tuple(_problems(module, seen, version))


def _problems(module: Module, seen: ModuleSeen, version: str) -> Iterator[Problem]:
    name = module.name
    if seen.model_name != module.model_name:
        yield _error(
            "name-overwritten",
            f"{name}: asked for {seen.model_name}, although the config says {module.model_name}",
            "PaddleOCR writes its default models over the config's: pass "
            "text_detection_model_name and text_recognition_model_name again",
        )
        return
    if seen.problem is not None:
        yield _failure(module, seen, version)
        return
    directory = str(module.settings.get("model_dir"))
    if not Path(directory).is_absolute():
        yield _warning(
            "relative-model-dir",
            f"{name}: model_dir {directory} is relative",
            "PaddleX looks it up in the working directory, not beside the config",
        )
    for opened in seen.opened:
        yield from _of_file(module, seen, opened)
    if "input_shape" in module.settings and "input_shape" not in seen.asked:
        yield _warning(
            "input-shape-ignored",
            f"{name}: PaddleX does not read input_shape here",
            "only TextDetection and TextRecognition of an OCR pipeline have it: remove the key",
        )


def _failure(module: Module, seen: ModuleSeen, version: str) -> Problem:
    assert seen.problem is not None
    if seen.problem["kind"] == "download":
        return _warning(
            "no-model-dir",
            f"{module.name}: PaddleX would download {module.model_name}",
            "render the config with a model for it, or switch the module off",
        )
    return explain_failure(seen.problem["detail"], module, version)


def _of_file(module: Module, seen: ModuleSeen, opened: Opened) -> Iterator[Problem]:
    name, wanted = module.name, engine_meant(module)
    if wanted is not None and not _same_engine(wanted, opened.engine):
        yield _error(
            "fell-back-to-paddle" if opened.library == "paddle" else "other-engine",
            f"{name}: runs on {opened.engine}, although the config says {wanted}",
            "a setting nearer to the module, or an argument, takes it away: write use_hpip and "
            "hpi_config, or engine, into the module itself",
        )
    elif wanted is None and opened.library == "paddle":
        beside = [file for file in ("inference.om", "inference.onnx") if _beside(opened, file)]
        if beside:
            yield _warning(
                "converted-not-used",
                f"{name}: runs on Paddle, although {beside[0]} lies beside it",
                "render the config for the converted models",
            )
    device = device_meant(module)
    kind = (device or "").partition(":")[0]
    # With CANN's provider ONNX Runtime is on the NPU while PaddleX's device is the CPU.
    on_cann = opened.library == "onnxruntime" and uses_cann(module)
    if kind and not on_cann and not _on(opened.runs_on, kind):
        yield _error(
            "device-overridden",
            f"{name}: runs on {opened.runs_on}, although the config says {device}",
            "create the pipeline without a device argument: it overrides every module's",
        )
    if opened.engine == "ultra_infer/ort" and _on(opened.runs_on, "npu"):
        yield _error(
            "onnx-on-npu",
            f"{name}: ultra_infer runs ONNX on the CPU only, and aborts on {opened.runs_on}",
            "set device_type: cpu and create the pipeline without a device argument",
        )
    if opened.engine == "ultra_infer/om":
        yield from _of_om(module, seen, opened)
    yield from _of_shape(module, seen, opened.inputs)


def _of_om(module: Module, seen: ModuleSeen, opened: Opened) -> Iterator[Problem]:
    name = module.name
    if not _on(device_meant(module), "npu"):
        yield _error(
            "om-not-on-npu",
            f"{name}: an OM file on {opened.runs_on}",
            "set device_type: npu in its hpi_config; without it PaddleX takes the CPU",
        )
    if module.settings.get("module_name") == "image_unwarping":
        yield _error(
            "om-page-size",
            f"{name}: PaddleX feeds whole pages to it, of any size; an OM file has one",
            "run it from ONNX on the CPU, or switch it off",
        )
    from converter.model.om_file import read_om

    try:
        om = read_om(Path(opened.files[0]))
    except InputError as error:
        # The reader may not know this toolchain's layout, which is no mistake of the config.
        yield _warning("om-unread", f"{name}: {error.message}", error.hint)
        if seen.asked.get("batch_size", 1) != 1:
            yield _batch(name, seen, 1)
        return
    names = [tensor.name for tensor in om.fed_inputs]
    if names != sorted(names):
        yield _error(
            "om-input-order",
            f"{name}: the OM file takes {', '.join(names)}; PaddleX feeds them in the order of "
            "their names",
            "compile it again with the inputs of --input_shape in that order",
        )
    if "input_shape" in seen.asked and seen.asked["input_shape"] is None:
        yield _error(
            "no-input-shape",
            f"{name}: has an OM file and no input_shape, so it is fed images of any size",
            "set input_shape to the channels, height and width that it was compiled for",
        )
    yield from _of_shape(module, seen, {t.name: t.shape for t in om.fed_inputs})


def _of_shape(
    module: Module, seen: ModuleSeen, inputs: dict[str, tuple[int | str | None, ...]]
) -> Iterator[Problem]:
    """The batch and ``input_shape`` against the shape of the image input, where it is fixed."""
    for graph_input, shape in inputs.items():
        if len(shape) != 4:
            continue
        batch, *rest = shape
        asked = seen.asked.get("batch_size", 1)
        if isinstance(batch, int) and batch > 0 and batch != asked:
            yield _batch(module.name, seen, batch)
        fed = seen.asked.get("input_shape")
        pairs = zip(rest, fed or (), strict=False)
        if fed and any(isinstance(dim, int) and dim > 0 and dim != want for dim, want in pairs):
            yield _error(
                "input-shape",
                f"{module.name}: input_shape is {list(fed)}, but {graph_input} of its file takes "
                f"{list(rest)}",
                "set input_shape to what the file was compiled for; ultra_infer compares nothing",
            )


def _batch(name: str, seen: ModuleSeen, batch: int) -> Problem:
    return _error(
        "batch-size",
        f"{name}: batch_size is {seen.asked.get('batch_size', 1)}, but its file takes {batch}",
        f"set batch_size: {batch}"
        if batch == 1
        else "compile it for one image: the last batch of a page is always short",
    )


def _same_engine(wanted: str, engine: str) -> bool:
    return engine == wanted or (wanted == "ultra_infer" and engine != "paddle")


def _on(device: str | None, kind: str) -> bool:
    return (device or "").partition(":")[0] == kind


def _beside(opened: Opened, name: str) -> bool:
    return Path(opened.files[0]).with_name(name).is_file()


def _error(name: str, message: str, hint: str) -> Problem:
    return Problem(name=name, severity="error", message=message, hint=hint)


def _warning(name: str, message: str, hint: str) -> Problem:
    return Problem(name=name, severity="warning", message=message, hint=hint)
