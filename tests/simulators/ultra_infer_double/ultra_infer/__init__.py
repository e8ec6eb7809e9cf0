"""A test double of ultra_infer, PaddleX's runtime for OM files: the names that PaddleX uses of it.

It runs on a CPU and proves nothing about an NPU. In place of an OM file it runs the
``inference.onnx`` beside it, with the shapes that ``paddle2om.manifest.json`` says the OM file was
compiled for, and refuses any other: the real runtime compares nothing and computes on leftover
data. Every model opened and every call is noted in the file that ULTRA_INFER_DOUBLE_LOG names.

The interface is the one that PaddleX 3.0.1, 3.4.3, 3.5.0 and 3.7.2 call: ``RuntimeOption`` with
``use_ascend``, ``use_gpu``, ``set_model_path``, ``use_om_backend``, ``use_ort_backend``,
``set_cpu_thread_num``; ``Runtime`` with ``num_inputs``, ``get_input_info(i).name`` and ``infer``, a
map of arrays to a list; ``ModelFormat``; and ``is_built_with_*``.
"""

import enum
import json
import os
from pathlib import Path
from types import SimpleNamespace


class ModelFormat(enum.Enum):
    PADDLE = 0
    ONNX = 1
    OM = 2


def is_built_with_om():
    return True


def is_built_with_ort():
    return True


def is_built_with_openvino():
    return False


def is_built_with_trt():
    return False


class RuntimeOption:
    def __init__(self):
        self.device, self.device_id = "cpu", None
        self.path, self.format, self.backend, self.threads = None, None, None, None

    def use_ascend(self, device_id=0):
        self.device, self.device_id = "ascend", device_id

    def set_model_path(self, path, params, format):
        assert params == ""
        assert isinstance(format, ModelFormat)
        self.path, self.format = Path(path), format

    def use_om_backend(self):
        self.backend = "om"

    def use_ort_backend(self):
        self.backend = "ort"

    def set_cpu_thread_num(self, number):
        self.threads = number


class Runtime:
    def __init__(self, option):
        import onnxruntime

        assert option.path.is_file()
        self._path, self._shapes = option.path, {}
        if option.backend == "om":
            assert option.format is ModelFormat.OM
            assert option.path.read_bytes()[:4] == b"IMOD"
            self._shapes = _compiled_for(option.path.parent)
        elif option.backend == "ort":
            assert option.format is ModelFormat.ONNX
            if option.device == "ascend":
                raise RuntimeError("the real runtime aborts: ONNX Runtime has no Ascend device")
        else:
            raise RuntimeError(f"no backend was chosen for {option.path}")
        _note(
            model=str(option.path),
            backend=option.backend,
            device=option.device,
            device_id=option.device_id,
            threads=option.threads,
        )
        onnx = option.path.with_name("inference.onnx")
        self._session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
        # The real runtime gets a std::map, hence the order of the names.
        self._names = sorted(node.name for node in self._session.get_inputs())

    def num_inputs(self):
        return len(self._names)

    def get_input_info(self, index):
        return SimpleNamespace(name=self._names[index])

    def infer(self, inputs):
        shapes = {name: list(array.shape) for name, array in inputs.items()}
        _note(model=str(self._path), fed=shapes)
        if self._shapes and shapes != self._shapes:
            raise RuntimeError(f"{self._path} was compiled for {self._shapes}, and is fed {shapes}")
        return self._session.run(None, inputs)


def _compiled_for(directory):
    text = json.loads((directory / "paddle2om.manifest.json").read_text())["om_input_shape"]
    pairs = (item.rpartition(":") for item in text.split(";"))
    return {name: [int(dim) for dim in dims.split(",")] for name, _, dims in pairs}


def _note(**facts):
    log = os.environ.get("ULTRA_INFER_DOUBLE_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(facts) + "\n")
