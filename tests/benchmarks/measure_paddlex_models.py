"""Convert PaddleX's models with paddle2om and bare paddle2onnx, and print a table of both.

``python tests/benchmarks/measure_paddlex_models.py MODELS [-o RESULTS.json] [--opset 11 17]``;
MODELS is what ``fixtures/build_paddlex_models.py -o MODELS`` wrote. Each conversion is a process of
its own. Results are kept in RESULTS.json as they come, so that an interrupted run goes on; the
table on standard output is that of ``docs/reference/models.md``.

paddle2om is run as users run it, but without onnxsim where a model has many operators: onnxsim
takes minutes there and changes nothing about right or wrong. paddle2onnx is called as its command
calls it, without polygraphy; its file is compared with Paddle on the same inputs.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

#: Programs with more operators go without onnxsim.
MANY_OPERATORS = 3000

#: Seconds that one conversion may take.
LIMIT = 1800

#: What a status of ours becomes in the table, by exit code; 0 is told apart by the report.
VERDICTS = {1: "refused", 3: "wrong", 4: "crashed"}

BARE = """
import json, sys
from pathlib import Path
from paddle2onnx import paddle2onnx_cpp2py_export as native
from converter.accuracy.gate import compare_case, gate
from converter.accuracy.reference import PaddlePredictor, PaddleReference
from converter.errors import StageError
from converter.model import onnx_file
from converter.model.describe import describe
from converter.model.paddle_dir import find_model

found, out, opset = find_model(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])

def end(verdict, reason=""):
    import onnx
    got = 0
    if out.exists() and out.stat().st_size:
        model = onnx.load(out, load_external_data=False)
        got = {entry.domain: entry.version for entry in model.opset_import}.get("", 0)
    print(json.dumps({"verdict": verdict, "reason": reason, "opset": got}))
    sys.exit()

try:
    out.write_bytes(native.export(
        str(found.program), str(found.params), opset, True, False, True, True, True, {},
        "onnxruntime", "", "", False,
    ))
except RuntimeError as error:
    end("raises", str(error).strip().splitlines()[0])
try:
    onnx_file.check(out)
    session = onnx_file.open_session(out)
except StageError as error:
    end("invalid", error.message)
described = describe(found)
reference = PaddleReference(
    PaddlePredictor(found.program, found.params, threads=2), described.inputs, described.outputs,
    hints=described.shape_hints, value_range=described.value_range, seed=0,
)
cases = []
for case in reference.cases():
    try:
        outputs = onnx_file.run(session, case.inputs)
    except StageError as error:
        end("fails to run", error.message)
    outputs = dict(zip(case.outputs, outputs.values(), strict=True))
    cases.append(compare_case(
        case.case.label, case.case.shapes, case.case.seed, case.outputs, outputs, None
    ))
passed, reason = gate(cases)
end("right" if passed else "wrong", reason)
"""


def bare(model: Path, opset: int) -> dict[str, Any]:
    """What paddle2onnx alone makes of the model, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, "-c", BARE, model, Path(directory) / "bare.onnx", str(opset)],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    if done.returncode < 0:
        return {"verdict": "aborts", "reason": signal.Signals(-done.returncode).name, "opset": 0}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return {"verdict": "raises", "reason": " ".join(last), "opset": 0}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ours(model: Path, opset: int) -> dict[str, Any]:
    """What ``paddle2om convert`` makes of it."""
    flags = ["--no-simplify"] if _operators(model) > MANY_OPERATORS else []
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "converter.cli.main", "convert", model, "-o", directory]
        command += ["--opset", str(opset), "--json", "--timeout", str(LIMIT), *flags]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=2 * LIMIT
        )
    if done.returncode not in (0, *VERDICTS):
        raise SystemExit(f"{model.name}: {done.stderr}")
    (report,) = json.loads(done.stdout)["models"]
    stages = {stage["stage"]: stage for stage in report["stages"]}
    errors = [stage["error"]["message"] for stage in stages.values() if stage.get("error")]
    facts = {name: stage.get("facts") or {} for name, stage in stages.items()}
    differences = [
        output["max_abs"]
        for case in facts["validate"].get("cases", ())
        for output in case["outputs"]
    ]
    return {
        "verdict": VERDICTS.get(done.returncode, "right"),
        "reason": " ".join(errors),
        "opset": facts["export"].get("opset", 0),
        "degraded": report["status"] == "degraded",
        "max_abs": max(differences, default=None),
        "repairs": [repair["name"] for repair in facts["export"].get("repairs", ())],
    }


def _operators(model: Path) -> int:
    return (model / "inference.json").read_text(encoding="utf-8").count('{"#":"1.')


def table(results: dict[str, Any], opsets: list[int]) -> str:
    """The Markdown table of what was measured."""
    heads = [f"{who}, opset {opset}" for opset in opsets for who in ("paddle2om", "paddle2onnx")]
    lines = ["| Model | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in sorted({key.split(" ")[0] for key in results}):
        cells = [
            _cell(results.get(f"{name} {opset} {who}"), opset)
            for opset in opsets
            for who in ("ours", "bare")
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(result: dict[str, Any] | None, opset: int) -> str:
    if result is None:
        return "not measured"
    text = str(result["verdict"])
    if result.get("degraded"):
        text += ", degraded"
    if result.get("max_abs") is not None and text.startswith("right"):
        text += f" ({result['max_abs']:.1e})"
    if result["opset"] not in (0, opset):
        text += f" (wrote opset {result['opset']})"
    return text


def main() -> None:
    """Measure what is not in the results yet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("names", nargs="*", help="models to measure; default: all in the directory")
    parser.add_argument("-o", "--results", type=Path, default=Path("build/paddlex-models.json"))
    parser.add_argument("--opset", type=int, nargs="+", default=[11, 17])
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    if arguments.results.exists():
        results = json.loads(arguments.results.read_text(encoding="utf-8"))
    names = arguments.names or sorted(
        path.parent.name for path in arguments.models.glob("*/inference.yml")
    )
    for name in names:
        for opset in arguments.opset:
            for who, measure in (("ours", ours), ("bare", bare)):
                key = f"{name} {opset} {who}"
                if key in results:
                    continue
                results[key] = measure(arguments.models / name, opset)
                print(key, results[key]["verdict"], results[key]["reason"][:200], file=sys.stderr)
                arguments.results.parent.mkdir(parents=True, exist_ok=True)
                text = json.dumps(results, indent=1, ensure_ascii=False)
                arguments.results.write_text(text, encoding="utf-8")
    print(table(results, arguments.opset))


if __name__ == "__main__":
    main()
