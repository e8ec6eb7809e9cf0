"""Takes down what the modules of a pipeline ask for and which files they open, in PaddleX itself.

Loaded by ``_check_runner.py`` in an interpreter that has PaddleX; standard library only. Modules
that cannot be loaded are replaced by an object that agrees to everything, so that the pipeline
goes on and the other modules are seen too. Nothing is downloaded, converted or written.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Not a package: these files are loaded by other interpreters, which have no converter.
stand_ins: Any = importlib.import_module("_check_stand_ins")

#: Set in each module's config, for a module object does not know where it came from.
_MARK = "_paddle2om_path"

#: What create_predictor is called with that decides what is opened.
_ASKED = (
    "device",
    "engine",
    "engine_config",
    "use_hpip",
    "hpi_config",
    "batch_size",
    "input_shape",
)


class Watcher:
    """``modules``: config path -> what that module asked for, opened, and why it did not load.

    ``lacking``: what PaddleX says of packages that it wants for a pipeline and has not.
    """

    def __init__(self) -> None:
        self.modules: dict[str, dict[str, Any]] = {}
        self.lacking: list[str] = []
        self.recording = importlib.util.find_spec("ultra_infer") is None
        self._current: dict[str, Any] | None = None

    def watch_libraries(self) -> None:
        """Watch ONNX Runtime, ultra_infer and Paddle, as soon as PaddleX imports them.

        Not before: Paddle with an NPU plugin takes the NPU when it is imported. Where
        ultra_infer is missing, a recorder takes its place that opens nothing.
        """
        if self.recording:
            sys.modules["ultra_infer"] = stand_ins.recorder()
            self._watch_ultra_infer(sys.modules["ultra_infer"])
        hooks: dict[str, Callable[[Any], None]] = {
            "onnxruntime": self._watch_onnxruntime,
            "ultra_infer": self._watch_ultra_infer,
            "paddle.inference": self._watch_paddle,
        }
        sys.meta_path.insert(0, stand_ins.AfterImport(hooks))

    def watch_pipelines(self) -> None:
        """Watch the one function through which pipelines of all versions create their modules."""
        base = importlib.import_module("paddlex.inference.pipelines.base").BasePipeline
        original = base.create_model

        @functools.wraps(original)
        def create_model(pipeline: Any, config: Any, **kwargs: Any) -> Any:
            with self._module(config, kwargs) as entry:
                if config.get("model_dir") is None:
                    entry["problem"] = {"kind": "download"}
                    return stand_ins.Absent()
                try:
                    model = original(pipeline, config, **kwargs)
                except Exception as error:  # noqa: BLE001 - whatever PaddleX raises is the answer
                    entry["problem"] = {"kind": "failed", "detail": described(error)}
                    return stand_ins.Absent()
            entry["loaded"] = all(opened["loaded"] for opened in entry["opened"])
            return model

        base.create_model = create_model
        for name in ("paddlex.inference", "paddlex.inference.models"):
            module: Any = importlib.import_module(name)
            if hasattr(module, "create_predictor"):
                watched = self._asking(module.create_predictor)
                module.create_predictor = watched
        deps: Any = importlib.import_module("paddlex.utils.deps")
        if hasattr(deps, "require_extra"):
            deps.require_extra = self._without_extras(deps.require_extra)
        subprocess.run = self._unconverted(subprocess.run)

    @contextmanager
    def _module(self, config: Any, kwargs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        name = config.get(_MARK) or f"{config.get('module_name')} ({config.get('model_name')})"
        entry = self.modules[name] = {
            "model_name": config.get("model_name"),
            "model_dir": config.get("model_dir"),
            "asked": {key: kwargs[key] for key in _ASKED if key in kwargs},
            "opened": [],
            "loaded": False,
            "problem": None,
        }
        outer, self._current = self._current, entry
        try:
            yield entry
        finally:
            self._current = outer

    def _asking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def create_predictor(*args: Any, **kwargs: Any) -> Any:
            if self._current is not None:
                asked = {key: _plain(kwargs[key]) for key in _ASKED if key in kwargs}
                self._current["asked"] |= asked
            return original(*args, **kwargs)

        return create_predictor

    def _without_extras(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What the modules resolve to can be seen without packages that only a run needs."""

        @functools.wraps(original)
        def require_extra(*args: Any, **kwargs: Any) -> None:
            try:
                original(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - DependencyError, and RuntimeError in 3.0
                # Each pipeline within says the same of itself; the innermost is the first.
                self.lacking[:] = [described(error)]

        return require_extra

    def _unconverted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """HPI converts a Paddle model on the spot, into the user's model directory: not here."""

        @functools.wraps(original)
        def run(argv: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(argv, list) and "--paddle2onnx" in argv:
                raise RuntimeError("PaddleX would convert the Paddle model to ONNX when it starts")
            return original(argv, *args, **kwargs)

        return run

    def _opened(self, **facts: Any) -> None:
        if self._current is not None:
            self._current["opened"].append(facts)

    def _watch_onnxruntime(self, module: Any) -> None:
        watcher = self

        class InferenceSession(module.InferenceSession):  # type: ignore[misc]
            def __init__(self, path: Any, *args: Any, **kwargs: Any) -> None:
                super().__init__(path, *args, **kwargs)
                watcher._opened(
                    library="onnxruntime",
                    files=[str(path)],
                    providers=self.get_providers(),
                    inputs={node.name: list(node.shape) for node in self.get_inputs()},
                    loaded=True,
                )

        module.InferenceSession = InferenceSession

    def _watch_ultra_infer(self, module: Any) -> None:
        watcher = self

        class RuntimeOption(module.RuntimeOption):  # type: ignore[misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.paddle2om: dict[str, Any] = {"device": "cpu", "backend": None, "files": []}

            def use_gpu(self, device_id: int = 0) -> Any:
                self.paddle2om["device"] = f"gpu:{device_id}"
                return super().use_gpu(device_id)

            def use_ascend(self, device_id: int = 0) -> Any:
                self.paddle2om["device"] = f"npu:{device_id}"
                return super().use_ascend(device_id)

            def set_model_path(self, path: str, *args: Any, **kwargs: Any) -> Any:
                self.paddle2om["files"] = [str(path)]
                return super().set_model_path(path, *args, **kwargs)

        def backend(method: str, name: str) -> None:
            original = getattr(module.RuntimeOption, method, None)

            def use(option: Any, *args: Any, **kwargs: Any) -> Any:
                option.paddle2om["backend"] = name
                return original(option, *args, **kwargs) if original else None

            setattr(RuntimeOption, method, use)

        for name in ("om", "ort", "openvino", "trt"):
            backend(f"use_{name}_backend", name)

        class Runtime(module.Runtime):  # type: ignore[misc]
            def __init__(self, option: Any, *args: Any, **kwargs: Any) -> None:
                # What it opens for itself is its own business.
                outer, watcher._current = watcher._current, None
                try:
                    super().__init__(option, *args, **kwargs)
                finally:
                    watcher._current = outer
                watcher._opened(
                    library="ultra_infer", loaded=not watcher.recording, **option.paddle2om
                )

        module.RuntimeOption, module.Runtime = RuntimeOption, Runtime

    def _watch_paddle(self, module: Any) -> None:
        original = module.create_predictor

        @functools.wraps(original)
        def create_predictor(config: Any, *args: Any, **kwargs: Any) -> Any:
            predictor = original(config, *args, **kwargs)
            files = [str(config.prog_file()), str(config.params_file())]
            self._opened(library="paddle", files=files, device=_paddle_device(config), loaded=True)
            return predictor

        module.create_predictor = create_predictor


def marked(config: Any, directory: str) -> Any:
    """``config`` with each module's path in it, and relative ``model_dir`` below ``directory``."""

    def visit(node: Any, path: tuple[str, ...]) -> None:
        for key in ("SubModules", "SubPipelines"):
            for name, child in (node.get(key) or {}).items():
                if not isinstance(child, dict):
                    continue
                here = (*path, key, str(name))
                if key == "SubModules":
                    child[_MARK] = ".".join(here)
                    if isinstance(child.get("model_dir"), str):
                        child["model_dir"] = os.path.join(directory, child["model_dir"])  # noqa: PTH118
                visit(child, here)

    visit(config, ())
    return config


def described(error: BaseException) -> str:
    """Class and words of ``error`` and of what it was raised from, on one line."""
    parts: list[str] = []
    at: BaseException | None = error
    while at is not None and len(parts) < 3:
        parts.append(" ".join(f"{type(at).__name__}: {at}".split()))
        at = at.__cause__
    return "; because of ".join(parts)


def summary(results: list[Any]) -> dict[str, Any]:
    """The text lines of a page, or the kinds of values in its result."""
    if len(results) != 1:
        return {"values": {"results": len(results)}}
    (result,) = results
    ocr = result if "rec_texts" in result else result.get("overall_ocr_res") or {}
    if "rec_texts" in ocr:
        return {
            "texts": [str(text) for text in ocr["rec_texts"]],
            "scores": [float(score) for score in ocr["rec_scores"]],
        }
    return {"values": {str(key): _kind(value) for key, value in dict(result).items()}}


def _kind(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} array {tuple(value.shape)}, mean {float(value.mean()):.3f}"
    if isinstance(value, (list, tuple, dict)):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value


def _paddle_device(config: Any) -> str:
    for name in ("gpu", "xpu"):
        uses, number = getattr(config, f"use_{name}", None), getattr(config, f"{name}_device_id", 0)
        if uses and uses():
            return f"{name}:{number() if callable(number) else 0}"
    custom = getattr(config, "use_custom_device", None)
    if custom and custom():
        return f"{config.custom_device_type()}:{config.custom_device_id()}"
    return "cpu"
