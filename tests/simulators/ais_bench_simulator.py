"""A simulator of ais_bench's ``InferSession`` for tests: no NPU, ONNX Runtime computes.

The constructor, ``get_inputs``, ``get_outputs``, ``infer`` and ``free_resource`` as ais_bench's API
guide documents them. ACL_SIMULATOR_ONNX is the model that runs, whatever the OM file;
AIS_BENCH_SIMULATOR_FAILS names a call that raises, as ais_bench does when the device refuses.
"""

from __future__ import annotations

import enum
import os
import types
from pathlib import Path

import numpy as np


class dtype(enum.Enum):
    """What aclruntime calls element types."""

    float32 = 0
    int64 = 9


def _refuse(call: str) -> None:
    if os.environ.get("AIS_BENCH_SIMULATOR_FAILS") == call:
        raise RuntimeError(f"[1][{call} failed] (simulated)")


class InferSession:
    """One OM file on one NPU."""

    def __init__(self, device_id, model_path, acl_json_path=None, debug=False, loop=1):
        import onnxruntime

        assert isinstance(device_id, int)
        assert Path(model_path).read_bytes()[:4] == b"IMOD"
        _refuse("load")
        self._session = onnxruntime.InferenceSession(os.environ["ACL_SIMULATOR_ONNX"])
        self._freed = False

    def _described(self, tensors):
        kinds = {"tensor(float)": dtype.float32, "tensor(int64)": dtype.int64}
        return [
            types.SimpleNamespace(
                name=one.name,
                shape=one.shape,
                datatype=kinds[one.type],
                format=0,
                realsize=int(np.prod(one.shape)) * np.dtype(kinds[one.type].name).itemsize,
            )
            for one in tensors
        ]

    def get_inputs(self):
        return self._described(self._session.get_inputs())

    def get_outputs(self):
        return self._described(self._session.get_outputs())

    def infer(self, feeds, mode="static", custom_sizes=100000):
        assert mode == "static"
        assert not self._freed
        _refuse("infer")
        names = [one.name for one in self._session.get_inputs()]
        return self._session.run(None, dict(zip(names, feeds, strict=True)))

    def free_resource(self):
        self._freed = True
