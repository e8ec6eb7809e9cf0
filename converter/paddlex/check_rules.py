"""Mistakes in a config that PaddleX does not complain about, seen in what it opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from converter.errors import InputError
from converter.paddlex.check_failures import explain_failure
from converter.paddlex.check_seen import ModuleSeen, Opened, Problem
from converter.paddlex.module_settings import ModuleSettings


def problems_of(settings: ModuleSettings, seen: ModuleSeen, version: str) -> tuple[Problem, ...]:
    """All that is wrong with one module that PaddleX ``version`` created."""
    return tuple(_problems(settings, seen, version))


def _problems(settings: ModuleSettings, seen: ModuleSeen, version: str) -> Iterator[Problem]:
    path = settings.path
    if seen.model_name != settings.model_name:
        yield _error(
            "name-overwritten",
            f"{path}: asked for {seen.model_name}, although the config says {settings.model_name}",
            "PaddleOCR writes its default models over the config's: pass "
            "text_detection_model_name and text_recognition_model_name again",
        )
        return
    if seen.problem is not None:
        yield _failure(settings, seen, version)
        return
    if seen.model_dir is not None and not Path(seen.model_dir).is_absolute():
        yield _warning(
            "relative-model-dir",
            f"{path}: model_dir {seen.model_dir} is relative",
            "PaddleX looks it up in the working directory, not beside the config",
        )
    for opened in seen.opened:
        yield from _of_file(settings, seen, opened)
    if "input_shape" in settings.own and "input_shape" not in seen.asked:
        yield _warning(
            "input-shape-ignored",
            f"{path}: PaddleX does not read input_shape here",
            "only TextDetection and TextRecognition of an OCR pipeline have it: remove the key",
        )


def _failure(settings: ModuleSettings, seen: ModuleSeen, version: str) -> Problem:
    assert seen.problem is not None
    if seen.problem["kind"] == "download":
        return _error(
            "no-model-dir",
            f"{settings.path}: PaddleX would download {settings.model_name}",
            "give it a model_dir, or switch the module off",
        )
    return explain_failure(seen.problem["detail"], settings, version)


def _of_file(settings: ModuleSettings, seen: ModuleSeen, opened: Opened) -> Iterator[Problem]:
    path, wanted = settings.path, settings.wanted
    if wanted is not None and not _same_engine(wanted, opened.engine):
        yield _error(
            "fell-back-to-paddle" if opened.library == "paddle" else "other-engine",
            f"{path}: runs on {opened.engine}, although the config says {wanted}",
            "a setting nearer to the module, or an argument, takes it away: write use_hpip and "
            "hpi_config, or engine, into the module itself",
        )
    elif wanted is None and opened.library == "paddle":
        beside = [name for name in ("inference.om", "inference.onnx") if _beside(opened, name)]
        if beside:
            yield _warning(
                "converted-not-used",
                f"{path}: runs on Paddle, although {beside[0]} lies beside it",
                "render the config for the converted models",
            )
    device = settings.hpi.get("device_type")
    if device is not None and wanted == opened.engine and not _on(opened.runs_on, device):
        yield _error(
            "device-overridden",
            f"{path}: runs on {opened.runs_on}, although hpi_config says {device}",
            "create the pipeline without a device argument: it overrides every module's",
        )
    if opened.engine == "ultra_infer/ort" and _on(opened.runs_on, "npu"):
        yield _error(
            "onnx-on-npu",
            f"{path}: ultra_infer runs ONNX on the CPU only, and aborts on {opened.runs_on}",
            "set device_type: cpu and create the pipeline without a device argument",
        )
    if opened.engine == "ultra_infer/om":
        yield from _of_om(settings, seen, opened)
    yield from _of_shape(settings, seen, opened.inputs)


def _of_om(settings: ModuleSettings, seen: ModuleSeen, opened: Opened) -> Iterator[Problem]:
    path = settings.path
    if not _on(opened.runs_on, "npu"):
        yield _error(
            "om-not-on-npu",
            f"{path}: an OM file on {opened.runs_on}",
            "set device_type: npu in its hpi_config; without it PaddleX takes the CPU",
        )
    if settings.own.get("module_name") == "image_unwarping":
        yield _error(
            "om-page-size",
            f"{path}: PaddleX feeds whole pages to it, of any size; an OM file has one",
            "run it from ONNX on the CPU, or switch it off",
        )
    from converter.model.om_file import read_om

    try:
        om = read_om(Path(opened.files[0]))
    except InputError as error:
        # The reader may not know this toolchain's layout, which is no mistake of the config.
        yield _warning("om-unread", f"{path}: {error.message}", error.hint)
        if seen.asked.get("batch_size", 1) != 1:
            yield _batch(path, seen, 1)
        return
    names = [tensor.name for tensor in om.fed_inputs]
    if names != sorted(names):
        yield _error(
            "om-input-order",
            f"{path}: the OM file takes {', '.join(names)}; PaddleX feeds them in the order of "
            "their names",
            "compile it again with the inputs of --input_shape in that order",
        )
    if "input_shape" in seen.asked and seen.asked["input_shape"] is None:
        yield _error(
            "no-input-shape",
            f"{path}: has an OM file and no input_shape, so it is fed images of any size",
            "set input_shape to the channels, height and width that it was compiled for",
        )
    yield from _of_shape(settings, seen, {t.name: t.shape for t in om.fed_inputs})


def _of_shape(
    settings: ModuleSettings, seen: ModuleSeen, inputs: dict[str, tuple[int | str | None, ...]]
) -> Iterator[Problem]:
    """The batch and ``input_shape`` against the shape of the image input, where it is fixed."""
    for name, shape in inputs.items():
        if len(shape) != 4:
            continue
        batch, *rest = shape
        asked = seen.asked.get("batch_size", 1)
        if isinstance(batch, int) and batch > 0 and batch != asked:
            yield _batch(settings.path, seen, batch)
        fed = seen.asked.get("input_shape")
        pairs = zip(rest, fed or (), strict=False)
        if fed and any(isinstance(dim, int) and dim > 0 and dim != want for dim, want in pairs):
            yield _error(
                "input-shape",
                f"{settings.path}: input_shape is {list(fed)}, but {name} of its file takes "
                f"{list(rest)}",
                "set input_shape to what the file was compiled for; ultra_infer compares nothing",
            )


def _batch(path: str, seen: ModuleSeen, batch: int) -> Problem:
    return _error(
        "batch-size",
        f"{path}: batch_size is {seen.asked.get('batch_size', 1)}, but its file takes {batch}",
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
