"""Convert PaddleX's models with paddle2om and bare paddle2onnx, and print a table of both.

``python tests/benchmarks/measure_paddlex_models.py MODELS [-o RESULTS.json] [--opset 11 17]``;
MODELS is what ``fixtures/build_paddlex_models.py -o MODELS`` wrote. Each conversion is a process of
its own. Results are kept in RESULTS.json as they come, so that an interrupted run goes on; the
table goes to standard output, and with ``--docs`` into ``docs/reference/models.md``.

paddle2om is run as users run it, but without onnxsim where a model has many operators: onnxsim
takes minutes there and changes nothing about right or wrong. paddle2onnx is called as its command
calls it, without polygraphy; its file is compared with Paddle on the same inputs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Programs with more operators go without onnxsim.
MANY_OPERATORS = 3000

#: Seconds that one conversion may take.
LIMIT = 1800

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "models.md"

TOOLS = ("paddlepaddle", "paddle2onnx", "onnx", "onnxsim", "onnxruntime", "paddlex")

#: What a status of ours becomes in the table, by exit code; 0 is told apart by the report.
VERDICTS = {1: "refused", 3: "wrong", 4: "crashed"}

BARE = """
import json, sys
from pathlib import Path
from paddle2onnx import paddle2onnx_cpp2py_export as native
from converter.accuracy.gate import compare_case, gate
from converter.accuracy.predictor import PaddlePredictor
from converter.accuracy.reference import PaddleReference
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


MEANING = {
    "right": "The ONNX file passes paddle2om's accuracy gate against Paddle on all its cases; in "
    "brackets the largest absolute difference of any element (boxes: in pixels).",
    "degraded": "Right, with a warning: mostly that onnxsim's result was not taken.",
    "wrong": "The file gives other numbers. paddle2om ends with exit code 3, paddle2onnx with 0.",
    "refused, raises, aborts": "No file: a named reason, an exception, or a process that died.",
    "invalid, fails to run": "A file that ONNX's checker or ONNX Runtime refuses.",
}

HEAD = """# The models of PaddleX's pipelines

<!-- Written by tests/benchmarks/measure_paddlex_models.py --docs; edit that instead. -->

The architectures that PP-OCRv5, PP-StructureV3 and PP-ChatOCRv4 use, and some newer ones, converted
by paddle2om and by paddle2onnx alone, measured. They are built from the code in PaddleX's own
package, with random but seeded weights, and laid out as the published models are. No published
weights were used: the numbers tell about the conversion, not about how well a model reads.

Measured on {date}, {machine}: python {python}, {versions}.

| Verdict | Meaning |
|---|---|
{meanings}

Repeat it with

```
python fixtures/build_paddlex_models.py -o build/paddlex
python tests/benchmarks/measure_paddlex_models.py build/paddlex --docs
```

Models of more than {many} operators are converted with `--no-simplify`: onnxsim takes minutes
there, and changes nothing about right or wrong.

{table}

## What is not right, and why

{reasons}

PP-DocLayoutV2, looked into for one image: classes, scores and boxes agree, and the reading order
does not, because it comes of a sort of equal values whose order [Paddle leaves
open](../explanation/tolerances.md#equal-values-in-a-sort). With stable sorts in Paddle, which the
gate tries, all of one image agrees. On two images a few boxes of nearly equal score are exchanged
as well; the gate [pairs such boxes](../explanation/tolerances.md) where a row has six columns, and
these have eight. PP-DocLayoutV3 was not looked into.
"""


def page(results: dict[str, Any], opsets: list[int], date: datetime.date) -> str:
    """``docs/reference/models.md``; ``date`` is that of the measurement."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for key, result in sorted(results.items()):
        name, opset, who = key.split(" ")
        if result["verdict"] != "right":
            tool = {"ours": "paddle2om", "bare": "paddle2onnx"}[who]
            told = f"{result['verdict']}: {_reason(result)}"
            groups.setdefault((name, tool, told), []).append(opset)
    reasons = [
        f"- {name}, {tool} at opset {' and '.join(opsets)}: {told}"
        for (name, tool, told), opsets in groups.items()
    ]
    return HEAD.format(
        date=date,
        machine=platform.machine(),
        python=platform.python_version(),
        versions=", ".join(f"{name} {version(name)}" for name in TOOLS),
        meanings="\n".join(f"| {verdict} | {text} |" for verdict, text in MEANING.items()),
        many=MANY_OPERATORS,
        table=table(results, opsets),
        reasons="\n".join(reasons) or "Nothing.",
    )


def _reason(result: dict[str, Any]) -> str:
    text = str(result["reason"]).replace("\n", " ") or "no reason was told"
    return text if len(text) <= 200 else text[:200].rpartition(" ")[0] + " ..."


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
    parser.add_argument("--docs", action="store_true", help="write docs/reference/models.md")
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
    if arguments.docs:
        measured = datetime.date.fromtimestamp(arguments.results.stat().st_mtime)
        PAGE.write_text(page(results, arguments.opset, measured), encoding="utf-8")


if __name__ == "__main__":
    main()
