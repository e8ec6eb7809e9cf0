"""A simulator of pyACL, Huawei's module ``acl``, for tests: no NPU, ONNX Runtime computes.

Only what a static model needs, with the calls, arguments and return values that the pyACL manual
documents. It is strict where a real device would be: calls out of order, unknown handles, copies
beyond a buffer and models of other sizes raise or return codes, and what was not given back when
``finalize`` is called is told in the file ACL_SIMULATOR_LEAKS.

The "OM file" may be any; ACL_SIMULATOR_ONNX is the model that runs, ACL_SIMULATOR_NOISE is added to
its float outputs, ACL_SIMULATOR_SHAPES gives the shapes of its dynamic inputs (as JSON, by name),
which an OM file has from atc. ACL_SIMULATOR_FAILS names a call that fails, with the code 507000.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import types
from pathlib import Path

import numpy as np

_CODE, _REPEATED = 507000, 100002
_DTYPES = {"float32": 0, "float16": 1, "int8": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 12}

_SHAPES = json.loads(os.environ.get("ACL_SIMULATOR_SHAPES", "{}"))

_handles = itertools.count(0x1000)
_live: dict[int, object] = {}
_state = {"init": False, "device": None, "context": False}


def _new(thing: object) -> int:
    handle = next(_handles)
    _live[handle] = thing
    return handle


def _code(call: str) -> int:
    """0, or the code of a call that is to fail."""
    return _CODE if os.environ.get("ACL_SIMULATOR_FAILS") == call else 0


class _Buffer:
    """Memory of the device: addresses in it are good for copies of no more than its size."""

    def __init__(self, size: int) -> None:
        self.memory = ctypes.create_string_buffer(size)
        self.size = size

    @property
    def address(self) -> int:
        return ctypes.addressof(self.memory)


class _Model:
    def __init__(self) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(os.environ["ACL_SIMULATOR_ONNX"])
        kinds = {"tensor(float)": "float32", "tensor(int64)": "int64"}
        self.inputs = [
            (one.name, _SHAPES.get(one.name, list(one.shape)), np.dtype(kinds[one.type]))
            for one in self.session.get_inputs()
        ]
        zeros = {name: np.zeros(shape, dtype) for name, shape, dtype in self.inputs}
        computed = self.session.run(None, zeros)
        self.outputs = [
            (one.name, list(array.shape), array.dtype)
            for one, array in zip(self.session.get_outputs(), computed, strict=True)
        ]


def init(config: str | None = None) -> int:
    if _state["init"]:
        return _REPEATED
    _state["init"] = True
    return _code("init")


def finalize() -> int:
    assert _state["init"]
    if "ACL_SIMULATOR_LEAKS" in os.environ:
        kinds = sorted(type(thing).__name__ for thing in _live.values())
        leaks = [*kinds, *(name for name in ("device", "context") if _state[name])]
        Path(os.environ["ACL_SIMULATOR_LEAKS"]).write_text(" ".join(leaks))
    _state["init"] = False
    return 0


def get_soc_name() -> str:
    return "Ascend310P3"


def create_data_buffer(address: int, size: int) -> int:
    buffer = next(b for b in _live.values() if isinstance(b, _Buffer) and b.address == address)
    assert size <= buffer.size
    return _new(("data buffer", buffer))


def destroy_data_buffer(handle: int) -> int:
    assert _live.pop(handle)[0] == "data buffer"
    return 0


def _set_device(number: int) -> int:
    assert _state["init"]
    if _code("set_device"):
        return _CODE
    _state["device"] = True
    return 0


def _reset_device(number: int) -> int:
    _state["device"] = None
    return 0


def _create_context(number: int) -> tuple[int, int]:
    assert _state["device"] is not None
    _state["context"] = True
    return 7, _code("create_context")


def _destroy_context(handle: int) -> int:
    assert handle == 7
    _state["context"] = False
    return 0


def _malloc(size: int, policy: int) -> tuple[int, int]:
    assert _state["context"]
    if _code("malloc"):
        return 0, _CODE
    buffer = _Buffer(size)
    _live[buffer.address] = buffer
    return buffer.address, 0


def _free(address: int) -> int:
    assert isinstance(_live.pop(address), _Buffer)
    return 0


def _memcpy(to: int, room: int, source: int, count: int, kind: int) -> int:
    device = to if kind == 1 else source
    assert kind in (1, 2)
    buffer = _live[device]
    assert isinstance(buffer, _Buffer)
    if count > room or count > buffer.size or _code("memcpy"):
        return _CODE
    ctypes.memmove(to, source, count)
    return 0


rt = types.SimpleNamespace(
    set_device=_set_device,
    reset_device=_reset_device,
    create_context=_create_context,
    destroy_context=_destroy_context,
    malloc=_malloc,
    free=_free,
    memcpy=_memcpy,
)


def _load_from_file(path: str) -> tuple[int, int]:
    assert _state["context"]
    assert Path(path).read_bytes()[:4] == b"IMOD"
    if _code("load_from_file"):
        return 0, _CODE
    return _new(_Model()), 0


def _unload(handle: int) -> int:
    assert isinstance(_live.pop(handle), _Model)
    return 0


def _get_desc(description: int, model: int) -> int:
    _live[description] = {"model": _live[model]}
    return 0


def _tensor(description: int, side: str, index: int):
    return getattr(_live[description]["model"], side)[index]


def _dims(side: str):
    def get(description: int, index: int):
        name, shape, _ = _tensor(description, side, index)
        return {"name": name, "dimCount": len(shape), "dims": shape}, 0

    return get


def _add_dataset_buffer(dataset: int, buffer: int) -> tuple[int, int]:
    _live[dataset].append(_live[buffer][1])
    return dataset, 0


def _execute(model: int, given: int, made: int) -> int:
    if _code("execute"):
        return _CODE
    loaded = _live[model]
    feeds = {}
    for (name, shape, dtype), buffer in zip(loaded.inputs, _live[given], strict=True):
        feeds[name] = np.frombuffer(buffer.memory.raw, dtype).reshape(shape).copy()
    noise = float(os.environ.get("ACL_SIMULATOR_NOISE", "0"))
    for array, buffer in zip(loaded.session.run(None, feeds), _live[made], strict=True):
        if array.dtype.kind == "f" and noise:
            array = array + np.float32(noise)
        assert array.nbytes == buffer.size
        ctypes.memmove(buffer.address, np.ascontiguousarray(array).ctypes.data, array.nbytes)
    return 0


def _size(side: str):
    def get(description: int, index: int) -> int:
        _, shape, dtype = _tensor(description, side, index)
        return int(np.prod(shape)) * dtype.itemsize

    return get


mdl = types.SimpleNamespace(
    load_from_file=_load_from_file,
    unload=_unload,
    create_desc=lambda: _new({}),
    destroy_desc=lambda handle: 0 if _live.pop(handle) is not None else _CODE,
    get_desc=_get_desc,
    get_num_inputs=lambda description: len(_live[description]["model"].inputs),
    get_num_outputs=lambda description: len(_live[description]["model"].outputs),
    get_input_dims=_dims("inputs"),
    get_output_dims=_dims("outputs"),
    get_input_name_by_index=lambda d, i: _tensor(d, "inputs", i)[0],
    get_output_name_by_index=lambda d, i: f"relu:0:{_tensor(d, 'outputs', i)[0]}",
    get_input_data_type=lambda d, i: _DTYPES[_tensor(d, "inputs", i)[2].name],
    get_output_data_type=lambda d, i: _DTYPES[_tensor(d, "outputs", i)[2].name],
    get_input_size_by_index=_size("inputs"),
    get_output_size_by_index=_size("outputs"),
    create_dataset=lambda: _new([]),
    destroy_dataset=lambda handle: 0 if _live.pop(handle) is not None else _CODE,
    add_dataset_buffer=_add_dataset_buffer,
    execute=_execute,
)
