"""Builds a case in Paddle, saves it with ``paddle.jit.save``, and runs what was saved.

A saved case is a directory ``<digest>/`` with ``<case id>/inference.{json,pdiparams}``,
``arrays.npz`` (two input sets and what Paddle's predictor makes of them) and ``case.json``.
The predictor's outputs are the reference. Eager Paddle is only noted: Paddle 3.3.1 itself loses a
trailing addition when it saves, for instance.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.accuracy.predictor import PaddlePredictor
from converter.model.pir import read_pir
from tests.matrix.case import Array, Case
from tests.matrix.comparing import compare, is_weak
from tests.matrix.workers import Emit

SEED = 20250101

#: A case that differs from eager Paddle by more is worth a note.
_EAGER_RTOL = 1e-3


@dataclass(frozen=True)
class Saved:
    """A case on disk."""

    case: Case
    root: Path

    @property
    def directory(self) -> Path:
        """What belongs to the case."""
        return self.root / self.case.digest

    @property
    def model(self) -> Path:
        """The model directory, which a user would name."""
        return self.directory / self.case.id

    @property
    def done(self) -> bool:
        """Whether it was saved before."""
        return (self.directory / "case.json").is_file()

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted when it was saved: operators, input names, remarks."""
        found: dict[str, Any] = json.loads((self.directory / "case.json").read_text("utf-8"))
        return found

    def arrays(self) -> list[tuple[dict[str, Array], list[Array]]]:
        """The input sets, each with the reference outputs."""
        with np.load(self.directory / "arrays.npz") as stored:
            names = self.facts["inputs"]
            count = self.facts["outputs"]
            return [
                (
                    {name: stored[f"in{run}_{at}"] for at, name in enumerate(names)},
                    [stored[f"out{run}_{at}"] for at in range(count)],
                )
                for run in range(2)
            ]


def save(saved: Saved, emit: Emit) -> None:
    """Save one case; runs in a worker."""
    import paddle

    case = saved.case
    building = saved.root / f".{case.digest}.{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    model = building / case.id
    model.mkdir(parents=True)
    paddle.seed(SEED)
    np.random.seed(SEED % 2**32)
    inner = case.build()
    layer = _as_layer(inner, bool(case.inputs))
    layer.eval()
    specs = [paddle.static.InputSpec(given.dims, given.dtype, given.name) for given in case.inputs]
    emit(step="save")
    paddle.jit.save(layer, str(model / "inference"), input_spec=specs)
    emit(step="run")
    program, params = model / "inference.json", model / "inference.pdiparams"
    described = read_pir(program)
    names = [spec.name for spec in described.inputs]
    sets = _input_sets(case)
    output_names = [spec.name for spec in described.outputs]
    outputs = []
    for inputs in sets:
        used = {name: inputs[name] for name in names}
        # A predictor that ran before answers differently where operators work in place
        # (index_put, set_value_ in Paddle 3.3.1).
        predictor = PaddlePredictor(program, params if params.is_file() else None, threads=1)
        outputs.append(list(predictor.run(used, output_names).values()))
    arrays = {}
    for run, (inputs, made) in enumerate(zip(sets, outputs, strict=True)):
        arrays |= {f"in{run}_{at}": inputs[name] for at, name in enumerate(names)}
        arrays |= {f"out{run}_{at}": array for at, array in enumerate(made)}
    np.savez(building / "arrays.npz", **arrays)
    emit(step="eager")
    facts = {
        "id": case.id,
        "inputs": names,
        "outputs": len(output_names),
        "operators": {
            name: count
            for name, count in described.operators.items()
            if name not in ("pd_op.data", "pd_op.feed", "pd_op.fetch", "builtin.shadow_output")
        },
        "eager": _eager_difference(case, layer, sets, outputs),
        "weak": is_weak(outputs),
    }
    (building / "case.json").write_text(json.dumps(facts), encoding="utf-8")
    shutil.rmtree(saved.directory, ignore_errors=True)
    building.rename(saved.directory)
    emit(step="done")


def _as_layer(inner: Callable[..., Any], takes_inputs: bool) -> Any:
    import paddle

    if isinstance(inner, paddle.nn.Layer):
        return inner

    return (_of_tensors if takes_inputs else _of_nothing)(inner)


# Paddle's tracer knows neither ``*args`` nor two classes in one function.
def _of_tensors(inner: Callable[..., Any]) -> Any:
    import paddle

    class OfTensors(paddle.nn.Layer):  # type: ignore[misc]
        def forward(
            self, a: Any, b: Any = None, c: Any = None, d: Any = None, e: Any = None, f: Any = None
        ) -> Any:
            return inner(*[tensor for tensor in (a, b, c, d, e, f) if tensor is not None])

    return OfTensors()


def _of_nothing(inner: Callable[..., Any]) -> Any:
    import paddle

    class OfNothing(paddle.nn.Layer):  # type: ignore[misc]
        def forward(self) -> Any:
            return inner()

    return OfNothing()


def _input_sets(case: Case) -> list[dict[str, Array]]:
    rng = np.random.default_rng(SEED)
    return [
        {given.name: given.values(rng, (given.first, given.second)[run]) for given in case.inputs}
        for run in range(2)
    ]


def write_shapes(saved: Saved) -> None:
    """Say in an ``inference.yml`` which shapes a case takes, as PaddleX's models do.

    paddle2om would else try shapes of its own, and an operator that takes eight rows by number is
    then refused for its one row. Its values are still its own draws.
    """
    told = saved.model / "inference.yml"
    # PaddleX's models have no shapes with nothing in them, and their files cannot say such.
    empty = any(0 in (*given.first, *given.second) for given in saved.case.inputs)
    if saved.case.inputs and not empty and not told.is_file():
        told.write_text(_hints(saved.case), encoding="utf-8")


def _hints(case: Case) -> str:
    """An ``inference.yml`` with the shapes the model takes, as PaddleX writes it."""
    lines = ["Global:", f"  model_name: {case.id}", "Hpi:", "  backend_configs:"]
    lines += ["    paddle_infer:", "      trt_dynamic_shapes:"]
    for given in case.inputs:
        low = [min(pair) for pair in zip(given.first, given.second, strict=True)]
        high = [max(pair) for pair in zip(given.first, given.second, strict=True)]
        lines.append(f"        {given.name}:")
        lines += [f"        - {shape}" for shape in (low, low, high)]
    return "\n".join(lines) + "\n"


def _eager_difference(
    case: Case, layer: Any, sets: list[dict[str, Array]], outputs: list[list[Array]]
) -> str:
    """How eager Paddle differs from the saved program, "" when it does not."""
    import paddle

    if case.random:
        return ""
    lenient = Case(**{**vars(case), "rtol": max(_EAGER_RTOL, case.rtol or 0.0), "atol": 1e-6})
    for inputs, reference in zip(sets, outputs, strict=True):
        try:
            tensors = [paddle.to_tensor(array) for array in inputs.values()]
            made = layer(*tensors)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is only noted
            return f"eager Paddle fails: {str(error).strip().splitlines()[-1][:200]}"
        flat = paddle.utils.flatten(made)
        eager = [np.asarray(tensor.numpy()) for tensor in flat if hasattr(tensor, "numpy")]
        _, problem = compare(lenient, reference, eager)
        if problem:
            return problem
    return ""
