#!/usr/bin/env python3
"""Runs an OM file on an Ascend NPU on recorded inputs and keeps what it computes.

Usage: python3 run_om.py [--device 0] [--backend auto]

It stands beside ``inference.om`` and ``cases/*.npz`` and writes ``results/*.npz``. It needs numpy
and either pyACL (the module ``acl``, known after ``source set_env.sh`` of CANN) or ais_bench.
Written by paddle2om, which judges the results: ``paddle2om device`` with this directory. What is
printed here is for a first look.

In a case the inputs are ``input:NAME`` and the outputs of Paddle ``output:NAME``, both in the
model's order; a result has the same outputs. Ends with 0 when every case ran, 1 when the NPU or the
model failed, 2 when files are missing or do not fit, 3 when there is neither acl nor ais_bench.

Python 3.7 or newer. Only OM files of one shape: PaddleX runs no others.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

FAILED, WRONG_INPUT, NO_BACKEND = 1, 2, 3

#: ge::DataType, in which aclmdl gives dtypes -> numpy. bfloat16 (27) numpy does not have.
DTYPES = {
    0: "float32",
    1: "float16",
    2: "int8",
    3: "int32",
    4: "uint8",
    6: "int16",
    7: "uint16",
    8: "uint32",
    9: "int64",
    10: "uint64",
    11: "float64",
    12: "bool",
}

#: The input that atc adds to a model with shape profiles.
PROFILE_INPUT = "ascend_mbatch_shape_data"

#: Written last, into ``results``.
SUMMARY = "run.json"

ACL_HUGE_FIRST, ACL_TO_DEVICE, ACL_TO_HOST = 0, 1, 2

#: aclInit's code when something else in this process has called it.
ACL_REPEATED_INIT = 100002


class Problem(Exception):
    """What went wrong, what to do about it, and the code to end with."""

    def __init__(self, code: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Tensor:
    """An input or output of the OM file."""

    def __init__(self, name: str, shape: tuple[int, ...], dtype: str, size: int) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.size = size


class AclModel:
    """An OM file loaded with pyACL."""

    name = "acl"

    def __init__(self, path: str, device: int) -> None:
        self._acl = importlib.import_module("acl")
        self._undo: list[Any] = []
        self._device = device
        try:
            self._load(path)
        except BaseException:
            self.close()
            raise

    def _load(self, path: str) -> None:
        acl, undo = self._acl, self._undo
        code = acl.init()
        if code != ACL_REPEATED_INIT:
            self._check(code, "acl.init")
            undo.append(acl.finalize)
        self._check(acl.rt.set_device(self._device), "acl.rt.set_device")
        undo.append(lambda: acl.rt.reset_device(self._device))
        context, code = acl.rt.create_context(self._device)
        self._check(code, "acl.rt.create_context")
        undo.append(lambda: acl.rt.destroy_context(context))
        self.soc = acl.get_soc_name() if hasattr(acl, "get_soc_name") else None
        self._model, code = acl.mdl.load_from_file(path)
        self._check(
            code,
            "acl.mdl.load_from_file",
            "the OM file may be for another chip or a newer CANN; this NPU is " + str(self.soc),
        )
        undo.append(lambda: acl.mdl.unload(self._model))
        self._description = acl.mdl.create_desc()
        undo.append(lambda: acl.mdl.destroy_desc(self._description))
        code = acl.mdl.get_desc(self._description, self._model)
        self._check(code, "acl.mdl.get_desc")
        self.inputs = [
            self._tensor("input", index)
            for index in range(acl.mdl.get_num_inputs(self._description))
        ]
        self.outputs = [
            self._tensor("output", index)
            for index in range(acl.mdl.get_num_outputs(self._description))
        ]
        self._in = self._dataset(self.inputs)
        self._out = self._dataset(self.outputs)

    def _tensor(self, side: str, index: int) -> Tensor:
        mdl, description = self._acl.mdl, self._description
        dims, code = getattr(mdl, "get_" + side + "_dims")(description, index)
        self._check(code, "acl.mdl.get_" + side + "_dims")
        kind = getattr(mdl, "get_" + side + "_data_type")(description, index)
        return Tensor(
            getattr(mdl, "get_" + side + "_name_by_index")(description, index),
            tuple(dims["dims"]),
            DTYPES.get(kind, "dtype " + str(kind)),
            getattr(mdl, "get_" + side + "_size_by_index")(description, index),
        )

    def _dataset(self, tensors: list[Tensor]) -> tuple[int, list[int]]:
        """A dataset with one device buffer for each tensor, and the buffers' addresses."""
        acl, undo = self._acl, self._undo
        dataset = acl.mdl.create_dataset()
        undo.append(lambda: acl.mdl.destroy_dataset(dataset))
        addresses = []
        for tensor in tensors:
            address, code = acl.rt.malloc(tensor.size, ACL_HUGE_FIRST)
            self._check(code, "acl.rt.malloc")
            undo.append(lambda address=address: acl.rt.free(address))
            buffer = acl.create_data_buffer(address, tensor.size)
            undo.append(lambda buffer=buffer: acl.destroy_data_buffer(buffer))
            _, code = acl.mdl.add_dataset_buffer(dataset, buffer)
            self._check(code, "acl.mdl.add_dataset_buffer")
            addresses.append(address)
        return dataset, addresses

    def run(self, arrays: list[Array]) -> list[Array]:
        """What the model computes; arrays have the inputs' dtypes and sizes."""
        acl = self._acl
        for array, address, tensor in zip(arrays, self._in[1], self.inputs):
            code = acl.rt.memcpy(
                address, tensor.size, array.ctypes.data, array.nbytes, ACL_TO_DEVICE
            )
            self._check(code, "acl.rt.memcpy to the device")
        code = acl.mdl.execute(self._model, self._in[0], self._out[0])
        self._check(code, "acl.mdl.execute")
        results = []
        for address, tensor in zip(self._out[1], self.outputs):
            result = np.empty(tensor.shape, tensor.dtype)
            code = acl.rt.memcpy(
                result.ctypes.data, result.nbytes, address, result.nbytes, ACL_TO_HOST
            )
            self._check(code, "acl.rt.memcpy to the host")
            results.append(result)
        return results

    def close(self) -> None:
        """Give everything back, the last first."""
        while self._undo:
            self._undo.pop()()

    def _check(self, code: int, call: str, hint: str = "") -> None:
        if code != 0:
            raise Problem(
                FAILED,
                call + " returned " + str(code),
                hint or "look the code up in the pyACL manual; npu-smi info shows the NPUs",
            )


class AisModel:
    """An OM file loaded with ais_bench."""

    name = "ais_bench"
    soc = None

    def __init__(self, path: str, device: int) -> None:
        interface = importlib.import_module("ais_bench.infer.interface")
        try:
            self._session = interface.InferSession(device_id=device, model_path=path)
        except RuntimeError as error:
            raise Problem(
                FAILED,
                "ais_bench cannot load the model: " + str(error),
                "the OM file may be for another chip; npu-smi info shows the NPUs",
            ) from error
        self.inputs = [self._tensor(one) for one in self._session.get_inputs()]
        self.outputs = [self._tensor(one) for one in self._session.get_outputs()]

    @staticmethod
    def _tensor(one: Any) -> Tensor:
        # The dtype is an enumeration of its own: its names are numpy's, or end with them.
        dtype = str(getattr(one.datatype, "name", one.datatype)).rpartition(".")[2].lower()
        return Tensor(one.name, tuple(one.shape), dtype, one.realsize)

    def run(self, arrays: list[Array]) -> list[Array]:
        """What the model computes."""
        try:
            found = self._session.infer(arrays, mode="static")
        except RuntimeError as error:
            raise Problem(
                FAILED, "ais_bench cannot run the model: " + str(error), "see its words above"
            ) from error
        return [np.asarray(array) for array in found]

    def close(self) -> None:
        """Give the model back."""
        self._session.free_resource()


def load(path: str, device: int, backend: str) -> AclModel | AisModel:
    """The OM file in the first backend that there is."""
    kinds: dict[str, type[AclModel] | type[AisModel]] = {"acl": AclModel, "ais_bench": AisModel}
    broken = []
    for name in (backend,) if backend != "auto" else tuple(kinds):
        if importlib.util.find_spec(name) is None:
            continue
        try:
            return kinds[name](path, device)
        except (ImportError, OSError, AttributeError) as error:  # half of CANN is installed
            broken.append("the Python module {} cannot be used: {}".format(name, error))
    if broken:
        raise Problem(
            NO_BACKEND,
            "; ".join(broken),
            "source the set_env.sh of CANN in this shell; if that is done, install CANN (and "
            "ais_bench) again: the parts do not fit together",
        )
    wanted = "acl or ais_bench" if backend == "auto" else backend
    raise Problem(
        NO_BACKEND,
        "there is no Python module " + wanted + " here",
        "source the set_env.sh of CANN, which makes acl known, or install ais_bench",
    )


def fit(model: AclModel | AisModel, given: dict[str, Array]) -> list[Array]:
    """The arrays in the order of the OM file's inputs, as it takes them."""
    names = [tensor.name for tensor in model.inputs]
    if PROFILE_INPUT in names:
        raise Problem(
            WRONG_INPUT,
            "the OM file has shape profiles",
            "compile it for one shape, as PaddleX needs it",
        )
    if len(names) != len(given):
        raise Problem(
            WRONG_INPUT,
            "the OM file takes " + ", ".join(names) + "; the case has " + ", ".join(given),
            "compile it from the same model that the case was recorded from",
        )
    by_name = set(names) == set(given)
    arrays = []
    for tensor, other in zip(model.inputs, given):
        array = given[tensor.name if by_name else other]
        if array.dtype.kind == "f" and tensor.dtype in ("float16", "float32"):
            array = array.astype(tensor.dtype)
        if str(array.dtype) != tensor.dtype or array.nbytes != tensor.size:
            raise Problem(
                WRONG_INPUT,
                "input {} takes {} bytes of {} {}, the case has {} of {} {}".format(
                    *(tensor.name, tensor.size, tensor.dtype, list(tensor.shape)),
                    *(array.nbytes, array.dtype, list(array.shape)),
                ),
                "record cases for the shapes that the OM file was compiled for; one with AIPP "
                "takes images, which cases are not",
            )
        arrays.append(np.ascontiguousarray(array))
    return arrays


def read_case(path: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and outputs by name."""
    try:
        with np.load(path, allow_pickle=False) as content:
            named = {key: content[key] for key in content.files}
    except (OSError, ValueError) as error:
        raise Problem(WRONG_INPUT, path + ": " + str(error), "copy the file again") from error
    sides: list[dict[str, Array]] = []
    for side in ("input:", "output:"):
        sides.append({k[len(side) :]: v for k, v in named.items() if k.startswith(side)})
    return sides[0], sides[1]


def write_result(path: str, outputs: dict[str, Any]) -> None:
    """Write a result, whole or not at all."""
    part = path + ".part"
    with open(part, "wb") as file:
        np.savez(file, **{"output:" + name: array for name, array in outputs.items()})
    os.replace(part, path)


def difference(result: Array, reference: Array) -> str:
    """A first look at one output."""
    if result.shape != reference.shape:
        return "shape {} instead of {}".format(list(result.shape), list(reference.shape))
    a, b = (x.astype(np.float64).ravel() for x in (result, reference))
    if not a.size:
        return "no elements"
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    cosine = float(a @ b) / norms if norms else float("nan")
    return "max_abs {:.3g}, cosine {:.6f}".format(float(np.abs(a - b).max()), cosine)


def run_cases(model: AclModel | AisModel, cases: str, results: str) -> list[dict[str, Any]]:
    """Run every case; what happened, one entry each."""
    told = []
    for name in sorted(os.listdir(cases)):
        if not name.endswith(".npz"):
            continue
        given, wanted = read_case(os.path.join(cases, name))
        arrays = fit(model, given)
        started = time.perf_counter()
        found = model.run(arrays)
        seconds = time.perf_counter() - started
        if len(found) != len(wanted):
            raise Problem(
                WRONG_INPUT,
                "the OM file has {} outputs, Paddle has {}".format(len(found), len(wanted)),
                "compile it from the same model that the case was recorded from",
            )
        outputs = dict(zip(wanted, found))
        write_result(os.path.join(results, name), outputs)
        for output, array in outputs.items():
            print("{}: {}: {}".format(name, output, difference(array, wanted[output])))
        told.append({"case": name, "sha256": digest(os.path.join(cases, name)), "seconds": seconds})
    if not told:
        raise Problem(WRONG_INPUT, "no cases in " + cases, "record them with paddle2om device")
    return told


def digest(path: str) -> str:
    """The sha256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            found.update(chunk)
    return found.hexdigest()


def main(words: list[str]) -> int:
    """Run it; the code to end with."""
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Run inference.om on cases/*.npz on an NPU.")
    parser.add_argument("--device", type=int, default=0, help="number of the NPU")
    parser.add_argument("--backend", choices=("auto", "acl", "ais_bench"), default="auto")
    parser.add_argument("--kit", default=here, help="directory with inference.om and cases")
    asked = parser.parse_args(words)
    om, cases, results = (
        os.path.join(asked.kit, name) for name in ("inference.om", "cases", "results")
    )
    try:
        for path in (om, cases):
            if not os.path.exists(path):
                raise Problem(WRONG_INPUT, path + " is missing", "copy the whole directory")
        os.makedirs(results, exist_ok=True)
        summary = os.path.join(results, SUMMARY)
        if os.path.exists(summary):  # of an earlier run; what has none was not finished
            os.remove(summary)
        model = load(om, asked.device, asked.backend)
        try:
            told = run_cases(model, cases, results)
            facts = {"om_sha256": digest(om), "backend": model.name, "soc": model.soc}
        finally:
            model.close()
        with open(summary + ".part", "w", encoding="utf-8") as file:
            json.dump(dict(facts, cases=told), file, indent=2)
        os.replace(summary + ".part", summary)
    except Problem as problem:
        print("error: " + str(problem), file=sys.stderr)
        print("hint: " + problem.hint, file=sys.stderr)
        return problem.code
    print("results: " + results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
