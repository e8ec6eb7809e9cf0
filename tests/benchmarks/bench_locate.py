"""Faults planted in real models: does ``locate`` name the node, how long does it take and how much?

    python tests/benchmarks/bench_locate.py    # prints the table of docs/explanation/locating.md

For each model, at opset 13: one plain run of both runtimes (Paddle and ONNX Runtime each load the
model and run the inputs of the search once), and one ``paddle2om locate`` per fault, with a worker
as users have it. Memory is the peak of resident bytes (VmHWM) of the process that does the work,
forked with the same libraries imported. Seconds are those of the command, with its worker's start.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx

from converter.demo.sources import fetch
from converter.engine.convert import run_conversion
from converter.engine.locate import run_locate
from converter.model.located import LocateFacts
from converter.model.result import RunReport
from converter.model.task import ConvertOptions
from tests.accuracy.locate.faults import Planted, plant

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"

#: Model -> faults: (kind, share of the fitting nodes, simplified).
FAULTS = {
    "tiny_pir": [
        ("weights", 0.0, False), ("attribute", 0.9, False), ("padding", 0.0, True),
        ("attribute", 0.0, True), ("constant", 0.0, True),
    ],
    "ch_ppocr_mobile_v2.0_cls": [
        ("weights", 0.6, False), ("attribute", 0.1, False), ("swapped", 0.1, False),
        ("operator", 0.6, True), ("constant", 0.1, True), ("padding", 0.6, True),
    ],
    "PP-OCRv5_mobile_rec": [
        ("weights", 0.9, False), ("attribute", 0.3, False), ("swapped", 0.6, False),
        ("operator", 0.8, True), ("constant", 0.5, True), ("padding", 0.6, True),
    ],
    "PP-OCRv5_mobile_det": [
        ("weights", 0.5, False), ("attribute", 0.6, False), ("swapped", 0.5, False),
        ("operator", 0.3, True), ("constant", 0.5, True), ("padding", 0.1, True),
    ],
    "PP-OCRv4_mobile_rec": [
        ("weights", 0.3, False), ("operator", 0.5, False), ("constant", 0.3, True),
        ("attribute", 0.2, True),
    ],
}  # fmt: skip

#: One plain run of both runtimes, told its inputs; prints the peak memory in bytes. In a process
#: that is forked after the libraries are imported, as workers are: a fork's resident bytes do not
#: count pages of libraries that it does not touch.
PLAIN = """
import json, os, sys
import paddle, paddle.inference, paddle2onnx, onnx, onnxsim, onnxruntime, numpy as np
from pathlib import Path
from converter.accuracy.predictor import PaddlePredictor
from converter.model import onnx_file
from converter.model.describe import describe
from converter.model.memory import peak_memory, reset_peak_memory
from converter.model.paddle_dir import find_model
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
reset_peak_memory()
model = find_model(Path(sys.argv[1]))
shapes = json.loads(sys.argv[3])
inputs = {n: np.random.default_rng(0).random(s).astype(np.float32) for n, s in shapes.items()}
names = [spec.name for spec in describe(model).outputs]
reference = PaddlePredictor(model.program, model.params, threads=2)
reference.run(inputs, names)
session = onnx_file.open_session(Path(sys.argv[2]), threads=2)
onnx_file.run(session, inputs)
print(peak_memory(), flush=True)
os._exit(0)
"""


def main() -> None:
    """Print one line per fault, and the totals."""
    real = fetch(tuple(name for name in FAULTS if name != "tiny_pir"))
    sources = {"tiny_pir": FIXTURES / "tiny_pir", **real}
    print("| Model | Fault | File | Node | Found | Seconds | Memory | Plain run | Ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    found, worst_time, worst_ratio, count = 0, 0.0, 0.0, 0
    with tempfile.TemporaryDirectory() as directory:
        for name, faults in FAULTS.items():
            files = convert(sources[name], Path(directory) / name)
            plain = 0
            for kind, at, simplified in faults:
                model = onnx.shape_inference.infer_shapes(onnx.load(files[simplified]))
                planted = plant(model, kind, at)
                path = Path(directory) / "faulty.onnx"
                onnx.save(model, path)
                clock = time.perf_counter()
                report = run_locate(sources[name], path, None, ConvertOptions())
                seconds = time.perf_counter() - clock
                facts = facts_of(report)
                plain = plain or plain_run(sources[name], files[False], facts)
                memory = max(stage.peak_memory for stage in report.models[0].stages)
                good = names_it(facts, planted)
                found, count = found + good, count + 1
                worst_time, worst_ratio = max(worst_time, seconds), max(worst_ratio, memory / plain)
                print(
                    f"| {name} | {kind} | {'simplified' if simplified else 'exported'} "
                    f"| `{planted.node}` | {'yes' if good else 'NO'} | {seconds:.1f} "
                    f"| {memory / 1e6:.0f} MB | {plain / 1e6:.0f} MB | {memory / plain:.2f} |",
                    flush=True,
                )
    print(
        f"\n{found} of {count} named; at most {worst_time:.1f} s and {worst_ratio:.2f} times "
        "the memory of a plain run"
    )


def convert(source: Path, out: Path) -> dict[bool, Path]:
    """The model as exported and simplified, as ``simplified -> file``."""
    files = {}
    for simplified in (False, True):
        directory = out / str(simplified)
        report = run_conversion([source], directory, ConvertOptions(opset=13, simplify=simplified))
        assert report.exit_code == 0, report.models[0].failure
        files[simplified] = directory / report.models[0].name / "inference.onnx"
    return files


def facts_of(report: RunReport) -> LocateFacts:
    """The facts of the search; a run without any is a failure of the benchmark."""
    facts = report.models[0].stages[-1].facts
    assert isinstance(facts, LocateFacts), report.models[0].failure
    return facts


def names_it(facts: LocateFacts, planted: Planted) -> bool:
    """Whether the node that is named is the planted one, with a cause of the right kind."""
    culprit = facts.culprit
    if culprit is None or planted.node not in culprit.node.outputs:
        return False
    told = " ".join(culprit.causes)
    return planted.cause in told or (planted.cause == "constant" and "weights" in told)


def plain_run(source: Path, path: Path, facts: LocateFacts) -> int:
    """Peak memory of one plain run of both runtimes."""
    shapes = json.dumps({name: list(shape) for name, shape in facts.input_shapes.items()})
    ended = subprocess.run(
        [sys.executable, "-c", PLAIN, str(source), str(path), shapes],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ended.stdout.split()[-1])


if __name__ == "__main__":
    main()
