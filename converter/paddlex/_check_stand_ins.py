"""What ``_check_watch.py`` puts in the place of modules and libraries; standard library only."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import types
from collections.abc import Callable, Sequence
from typing import Any


class Absent:
    """Stands where a module could not be loaded: has every attribute, takes every call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Absent()


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module right after that module was imported."""

    def __init__(self, hooks: dict[str, Callable[[Any], None]]) -> None:
        self._hooks = hooks

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        hook = self._hooks.get(fullname)
        if hook is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            execute(module)
            hook(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def recorder() -> types.ModuleType:
    """A module with the few names of ultra_infer that PaddleX uses, which opens no file."""
    module = types.ModuleType("ultra_infer")
    module.__spec__ = importlib.machinery.ModuleSpec("ultra_infer", None)

    class RuntimeOption:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Absent()

        def use_gpu(self, device_id: int = 0) -> None:
            pass

        def use_ascend(self, device_id: int = 0) -> None:
            pass

        def set_model_path(self, path: str, *args: Any) -> None:
            pass

    class Runtime:
        def __init__(self, option: Any) -> None:
            pass

        def num_inputs(self) -> int:
            return 0

    names: dict[str, Any] = {
        "RuntimeOption": RuntimeOption,
        "Runtime": Runtime,
        "ModelFormat": Absent(),
    }
    # PaddleX's automatic choice asks these; on an NPU host the real ones say what it will say.
    built_with = {"om": True, "ort": True, "openvino": False, "trt": False}
    for name, built in built_with.items():
        names[f"is_built_with_{name}"] = lambda built=built: built
    for name, value in names.items():
        setattr(module, name, value)
    return module
