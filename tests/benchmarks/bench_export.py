"""Export time with repairs and lowerings against paddle2onnx alone, in one warm process.

    python tests/benchmarks/bench_export.py [MODEL...]

Two of the demo's models, which need no repair, and those named (model directories). For each:
paddle2onnx's native export of the program as repaired (alone it refuses some of them), and our
whole export of the unrepaired one: parse, repair, lower, convert, name, serialise. The median of
several rounds, taken in turns; the target is a ratio of at most 1.5.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from paddle2onnx import paddle2onnx_cpp2py_export as native

from converter.bridge.lowering import plan as plan_module
from converter.bridge.repair import repair_program
from converter.bridge.signature import name_signature
from converter.bridge.translate import translate
from converter.demo.sources import fetch
from converter.model.paddle_dir import find_model
from converter.model.pir import describe_pir
from converter.model.pir_document import load_pir

ROUNDS = 15
MODELS = ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec")


def main() -> None:
    plan_module.all_lowerings()  # their modules are imported once per process
    print(f"{'model':24} {'paddle2onnx':>12} {'ours':>9} {'ratio':>6}  repairs")
    with tempfile.TemporaryDirectory() as directory:
        models = [*fetch(MODELS).items(), *((Path(path).name, Path(path)) for path in sys.argv[1:])]
        for name, path in models:
            measure(name, path, Path(directory))


def measure(name: str, source: Path, work: Path) -> None:
    model = find_model(source)
    repaired = load_pir(model.program)
    repair_program(repaired)
    described = describe_pir(repaired, source=name)  # the inspect stage has it
    program = work / "repaired.json"
    program.write_text(json.dumps(repaired), encoding="utf-8")

    def alone() -> None:
        native.export(
            str(program), str(model.params), 11, True, False, False, True,
            True, {}, "onnxruntime", "", "", False,
        )  # fmt: skip

    repairs = 0

    def ours() -> None:
        nonlocal repairs
        document = load_pir(model.program)
        made = translate(document, model.program, model.params, opset=11, work_dir=work)
        name_signature(made.model, described.inputs, described.outputs)
        made.model.SerializeToString()
        repairs = sum(repair.count for repair in made.repairs)

    times: dict[str, list[float]] = {"alone": [], "ours": []}
    with quiet():
        for _ in range(ROUNDS):
            for key, function in (("alone", alone), ("ours", ours)):
                begin = time.perf_counter()
                function()
                times[key].append(time.perf_counter() - begin)
    first, second = (statistics.median(times[key]) * 1000 for key in ("alone", "ours"))
    print(f"{name:24} {first:9.0f} ms {second:6.0f} ms {second / first:6.2f}  {repairs}")


@contextlib.contextmanager
def quiet():
    """paddle2onnx prints from C++."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


if __name__ == "__main__":
    main()
