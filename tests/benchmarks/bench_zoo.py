"""Convert a whole zoo: paddle2om against the loop that people write, and the libraries' own time.

``python tests/benchmarks/bench_zoo.py [--json] [--only NAME...]``. The zoo is that of
``fixtures/build_zoo.py``: more than sixty model directories, a quarter of them broken. In one run,
once each, in fresh processes:

* ``today``: per model a ``paddle2onnx`` process, an ``onnxsim`` process and a script that runs
  Paddle and ONNX Runtime and compares; ``today-none``: the same with ``--optimize_tool None``.
* ``floor``: bare library calls for the models that are whole, each once, in one process on one
  core. It knows which models are broken, and has our lowerings, which no library has.
* ``floor-2``: the same in two processes, each with half of the models: what two cores can do.
* ``ours``: ``paddle2om build`` of all directories with an empty cache.
* ``ours-again``: the same command once more, when all is cached.
* ``plan-1000``: ``paddle2om build --plan`` of a recipe with 1,000 models.

All compare on the inputs that our validate stage draws, made beforehand. Nothing is asserted about
time; the exit code is 1 when ``ours``, the plan or a floor does not end as the zoo says.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench_convert import OPSET, SCRIPTS, Cost, MemorySampler, Run, by_hand, machine, measure

ROOT = Path(__file__).parents[2]
#: Relative to the largest reference value, with the same beside it in absolute terms.
CLOSE = 1e-3

#: Models of the plan that is timed.
PLANNED = 1000

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


# --- what is converted and compared ---------------------------------------------------------------


def role_plan(zoo: Path, plan: Path) -> int:
    """Write what the contenders get: every directory, and inputs for those that are whole."""
    import numpy

    from converter.accuracy.predictor import PaddlePredictor
    from converter.accuracy.reference import PaddleReference
    from converter.bridge.legacy_program import translate_legacy_program
    from converter.model.describe import describe
    from converter.model.inference_yml import read_inference_yml
    from converter.model.paddle_dir import find_model

    planned: dict[str, dict[str, Any]] = {}
    for name, expected in json.loads((zoo / "zoo.json").read_text()).items():
        directory = zoo / name
        entry = {"directory": str(directory), "whole": expected["exit_code"] == 0, "cases": []}
        planned[name] = entry
        if not entry["whole"]:
            entry |= {"program": "inference.json", "params": "inference.pdiparams"}
            continue
        model = find_model(directory)
        entry |= {"program": str(model.program), "params": str(model.params or "")}
        facts = describe(model)
        yml = read_inference_yml(model.yml) if model.yml else None
        work = plan.parent / f"{name}.planned"
        work.mkdir()
        program, params = model.program, model.params
        if program.suffix == ".pdmodel":
            program, params = translate_legacy_program(model, work)
        reference = PaddleReference(
            PaddlePredictor(program, params, threads=1),
            facts.inputs,
            facts.outputs,
            hints=dict(facts.shape_hints),
            value_range=yml.value_range if yml else None,
            seed=0,
        )
        for index, case in enumerate(reference.cases()):
            numpy.savez(work / f"{index}.npz", **case.inputs)
            entry["cases"].append(str(work / f"{index}.npz"))
    plan.write_text(json.dumps(planned))
    return 0


def agrees(model: dict[str, Any], program: str, params: str, onnx_file: str, threads: int) -> bool:
    """Run Paddle and ONNX Runtime on every case, as a careful user would."""
    import numpy
    import onnxruntime
    import paddle.inference

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx_file, options, providers=["CPUExecutionProvider"])
    config = paddle.inference.Config(program, params)
    config.disable_gpu()
    config.disable_mkldnn()
    config.switch_ir_optim(False)
    config.set_cpu_math_library_num_threads(threads or 1)
    predictor = paddle.inference.create_predictor(config)
    for path in model["cases"]:
        with numpy.load(path) as inputs:
            arrays = dict(inputs)
        for name, array in arrays.items():
            predictor.get_input_handle(name).copy_from_cpu(array)
        predictor.run()
        names = predictor.get_output_names()
        expected = [predictor.get_output_handle(name).copy_to_cpu() for name in names]
        known = {node.name for node in session.get_inputs()}
        given = {name: array for name, array in arrays.items() if name in known}
        for a, b in zip(session.run(None, given), expected, strict=True):
            largest = numpy.nanmax(numpy.abs(b.astype("float64")), initial=0.0)
            if a.shape != b.shape or not numpy.allclose(
                a, b, rtol=0, atol=CLOSE * (1 + largest), equal_nan=True
            ):
                return False
    return True


def role_compare(model: dict[str, Any], onnx_file: str) -> int:
    """The third process of ``today``."""
    good = agrees(model, model["program"], model["params"], onnx_file, threads=0)
    return 0 if good else 1


def role_floor(models: dict[str, dict[str, Any]], out: Path) -> int:
    """The models in this process, on one core: every call that a conversion needs, once."""
    import onnx
    import onnxsim

    from converter.bridge.legacy_program import translate_legacy_program
    from converter.bridge.signature import name_signature
    from converter.bridge.translate import translate
    from converter.model.paddle_dir import find_model
    from converter.model.pir import describe_pir
    from converter.model.pir_document import load_pir

    converted = []
    for name, model in models.items():
        work = out / name
        work.mkdir()
        program, params = Path(model["program"]), Path(model["params"] or "/")
        if program.suffix == ".pdmodel":
            program, params = translate_legacy_program(find_model(Path(model["directory"])), work)
        document = load_pir(program)
        weights = params if params.is_file() else None
        made = translate(document, program, weights, opset=OPSET, work_dir=work).model
        described = describe_pir(document, source=str(program))
        name_signature(made, described.inputs, described.outputs)
        simplified, _ = onnxsim.simplify(made)
        path = work / "inference.onnx"
        onnx.save_model(simplified, path)
        onnx.checker.check_model(path, full_check=True)
        if agrees(model, str(program), str(weights or ""), str(path), threads=1):
            converted.append(name)
    (out / "floor.json").write_text(json.dumps({"converted": converted}))
    return 0


# --- the contenders -------------------------------------------------------------------------------


class Bench:
    """Runs the contenders in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._zoo = directory / "zoo"
        self._plan = directory / "plan" / "plan.json"
        self._plan.parent.mkdir()
        run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
        run([sys.executable, ROOT / "fixtures" / "build_zoo.py", self._zoo])
        run([sys.executable, __file__, "--role", "plan", self._zoo, self._plan])
        self.models: dict[str, dict[str, Any]] = json.loads(self._plan.read_text())
        self.whole = {name: m for name, m in self.models.items() if m["whole"]}
        self._packages = directory / "packages"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        self._pip = [*pip, "--target", str(self._packages)]
        # What paddle2onnx's default would install while it converts; not measured.
        needs = ["onnx_graphsurgeon>=0.3.27", "sympy", "mpmath"]
        subprocess.run([*self._pip, *needs], check=False)
        recipe = ["schema: 1", f"defaults: {{opset: {OPSET}}}", "models:"]
        recipe += [f"  - path: zoo/{name}" for name in self.models]
        (directory / "zoo.yaml").write_text("\n".join(recipe) + "\n")

    def _role(self, role: str, plan: Path, *arguments: str | Path) -> list[str | Path]:
        return [sys.executable, __file__, "--role", role, plan, *arguments]

    def today(self, *flags: str) -> Run:
        """Three processes per model."""
        out = self._directory / f"today{len(flags)}"
        out.mkdir()
        environment = {
            "PYTHONPATH": str(self._packages),
            "POLYGRAPHY_INSTALL_CMD": " ".join(self._pip),
        }
        compare = partial(self._role, "compare", self._plan)
        return by_hand(self.models, out, compare, environment, flags)

    def floor(self, processes: int) -> Run:
        """The whole models, dealt out to ``processes`` that start together."""
        run, started = Run(), []
        for index in range(processes):
            out = self._directory / f"floor{processes}.{index}"
            out.mkdir()
            mine = dict(list(self.whole.items())[index::processes])
            (out / "plan.json").write_text(json.dumps(mine))
            argv = [str(part) for part in self._role("floor", out / "plan.json", out)]
            with (out / "log").open("w") as log:
                env = {**os.environ, **ONE_THREAD}
                started.append((out, subprocess.Popen(argv, stdout=log, stderr=log, env=env)))
        samplers = [MemorySampler(process.pid) for _, process in started]
        begun = time.perf_counter()
        for sampler in samplers:
            sampler.start()
        for out, process in started:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            run.cost.cpu += usage.ru_utime + usage.ru_stime
            if process.returncode:
                run.failures.append(f"{out.name}: exit code {process.returncode}")
            else:
                run.converted += json.loads((out / "floor.json").read_text())["converted"]
        run.cost.wall = time.perf_counter() - begun
        run.cost.memory = sum(sampler.stop() for sampler in samplers)
        return run

    def ours(self, *, cached: bool = False) -> Run:
        """``paddle2om build`` of everything, with what is in the cache: nothing, or all."""
        out = self._directory / "out"
        argv = [SCRIPTS / "paddle2om", "build", "zoo.yaml", "-o", "out", "--cache", "cache"]
        cost, _ = measure(argv, self._directory / "ours.log", {})
        run = Run(cost)
        zoo = json.loads((self._zoo / "zoo.json").read_text())
        for model in json.loads((out / "report.json").read_text())["models"]:
            error = next((s["error"] for s in model["stages"] if s["error"]), None)
            code = error["exit_code"] if error else 0
            ran = {s["stage"] for s in model["stages"] if s["status"] == "ok" and not s["cached"]}
            if code != zoo[model["name"]]["exit_code"]:
                run.failures.append(f"{model['name']}: exit code {code}")
            elif cached and ran:
                run.failures.append(f"{model['name']}: {min(ran)} ran again")
            elif (
                not error
                and _compared(model)
                and (out / model["name"] / "inference.onnx").is_file()
            ):
                run.converted.append(model["name"])
        return run

    def plan(self) -> Run:
        """A plan of a thousand models, copies of the tiny one."""
        many = self._directory / "many"
        if not many.exists():
            for index in range(PLANNED):
                shutil.copytree(self._zoo / "tiny_pir", many / f"model{index:04}")
            recipe = "schema: 1\nmodels:\n  - path: many/*\n"
            (self._directory / "many.yaml").write_text(recipe)
        argv = [SCRIPTS / "paddle2om", "build", "many.yaml", "-o", "many-out", "--plan", "--json"]
        log = self._directory / "plan.log"
        cost, code = measure(argv, log, {})
        run = Run(cost, failures=[f"exit code {code}"] if code else [])
        planned = json.loads(log.read_text())["models"] if not code else []
        if sum(model["runs"] for model in planned) != PLANNED:
            run.failures.append(f"{len(planned)} models planned, not {PLANNED}")
        return run

    def contenders(self) -> dict[str, Callable[[], Run]]:
        """In the order in which they run."""
        return {
            "today": self.today,
            "today-none": partial(self.today, "--optimize_tool", "None"),
            "floor": partial(self.floor, 1),
            "floor-2": partial(self.floor, 2),
            "ours": self.ours,
            "ours-again": partial(self.ours, cached=True),
            "plan-1000": self.plan,
        }


def _compared(model: dict[str, Any]) -> bool:
    """Whether the report says that numbers were compared, and how they came out."""
    found = [s for s in model["stages"] if s["stage"] == "validate"]
    return any(s["status"] in ("ok", "degraded", "cached") and s["facts"]["cases"] for s in found)


RATIOS = (
    ("today", "ours"),
    ("today-none", "ours"),
    ("ours", "floor"),
    ("ours", "floor-2"),
)


def as_text(result: dict[str, Any]) -> str:
    """The result as a table."""
    facts = result["machine"]
    lines = [
        f"{result['directories']} model directories, {result['whole']} of them whole",
        f"{facts['cores']} cores, {facts['cpu']}, load {facts['load']:.1f} before",
        "",
        f"{'':22}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'right':>7}",
    ]
    for name, run in result["runs"].items():
        cost = run["cost"]
        lines.append(
            f"{name:22}{cost['wall']:9.2f}{cost['cpu']:9.2f}{cost['memory'] / 1e6:9.0f}"
            f"{len(run['converted']):7d}"
        )
    lines.append("")
    for name, row in result["ratios"].items():
        lines.append(f"{name:22}{row['wall']:9.2f}{row['cpu']:9.2f}{row['memory']:9.2f}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the contenders and print what they took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON, with every failure")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these contenders")
    options = parser.parse_args(arguments)
    directory = Path(tempfile.mkdtemp(prefix="paddle2om-bench-"))
    facts = machine()
    try:
        bench = Bench(directory)
        contenders = bench.contenders()
        if unknown := set(options.only or ()) - contenders.keys():
            parser.error(f"no contender {min(unknown)}; there are {', '.join(contenders)}")
        runs: dict[str, Run] = {}
        for name, contender in contenders.items():
            if not options.only or name in options.only:
                runs[name] = contender()
                sys.stderr.write(f"{name} {runs[name].cost.wall:.2f} s\n")
    finally:
        shutil.rmtree(directory, ignore_errors=True)

    def ratio(a: Cost, b: Cost) -> dict[str, float]:
        return {kind: getattr(a, kind) / getattr(b, kind) for kind in ("wall", "cpu", "memory")}

    result = {
        "machine": facts,
        "directories": len(bench.models),
        "whole": len(bench.whole),
        "runs": {name: {**vars(run), "cost": vars(run.cost)} for name, run in runs.items()},
        "ratios": {
            f"{a} / {b}": ratio(runs[a].cost, runs[b].cost)
            for a, b in RATIOS
            if a in runs and b in runs
        },
    }
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    checked = [run for name, run in runs.items() if name.startswith(("ours", "floor"))]
    planned = runs["plan-1000"].failures if "plan-1000" in runs else []
    return int(
        bool(planned)
        or any(run.failures or len(run.converted) < len(bench.whole) for run in checked)
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--role"]:
        role, first, *rest = sys.argv[2:]
        if role == "plan":
            sys.exit(role_plan(Path(first), Path(rest[0])))
        content = json.loads(Path(first).read_text())
        if role == "compare":
            sys.exit(role_compare(content[rest[0]], rest[1]))
        sys.exit(role_floor(content, Path(rest[0])))
    sys.exit(main(sys.argv[1:]))
