"""Compare a whole conversion with what people do today, and with the libraries' own time.

``make bench`` or ``python tests/benchmarks/bench_convert.py [--repeat N] [--json]``. Five real OCR
models; every contender runs in fresh processes, interleaved with the others, in one run:

* ``today``: per model a ``paddle2onnx`` process, an ``onnxsim`` process and a script that runs
  Paddle Inference and ONNX Runtime and compares. A step that fails ends its model, as it would for
  a user; its time counts. paddle2onnx converts PP-OCRv4 not at all or to files nothing loads.
* ``today-none``: the same with ``--optimize_tool None``, for those who know of it.
* ``floor``: bare library calls in one process, each exactly once per model, default threads. It
  knows beforehand which repairs a model needs and checks nothing but the last result.
* ``ours``: ``paddle2om convert`` of the five models into a fresh directory.
* ``ours-same``: the same for only those models that ``today`` gets through.

All compare on the shapes that our validate stage plans. Nothing is asserted about time; the exit
code is 1 when ``ours`` or ``floor`` does not convert everything, because then no number counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

OPSET = 11
SCRIPTS = Path(sys.executable).parent

#: Seconds between two readings of the processes' memory.
SAMPLING = 0.25

#: What the scripts of ``today`` and ``floor`` let pass; a working conversion is far below it.
LARGEST_DIFFERENCE = 1e-3


@dataclass
class Cost:
    """What processes took: wall and CPU seconds (children included), peak bytes of memory."""

    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0

    def add(self, other: Cost) -> None:
        """Count a process that ran after those counted so far."""
        self.wall += other.wall
        self.cpu += other.cpu
        self.memory = max(self.memory, other.memory)


@dataclass
class Run:
    """One run of one contender. ``parts`` says where its time went, in its own terms."""

    cost: Cost = field(default_factory=Cost)
    converted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)


class MemorySampler(threading.Thread):
    """Reads the proportional set size of a process tree every now and then; keeps the peak."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLING):
            self.peak = max(self.peak, sum(map(_memory, _tree(self._pid))))

    def stop(self) -> int:
        """End the thread; return the peak."""
        self._ended.set()
        self.join()
        return self.peak


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            with suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _memory(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


def measure(argv: Sequence[str | Path], log: Path, environment: dict[str, str]) -> tuple[Cost, int]:
    """Run a command; its cost and exit code. Its output goes to ``log``."""
    with log.open("ab") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=log.parent,
            env={**os.environ, **environment},
        )
        sampler = MemorySampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    # A peak between two readings shows in the largest process's own high-water mark (KiB).
    memory = max(sampler.stop(), usage.ru_maxrss << 10)
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory), process.returncode


# --- what is converted and compared ------------------------------------------------------------


def plan_models() -> dict[str, dict[str, Any]]:
    """The five models: files, and the shapes and values that our validate stage compares on."""
    from converter.accuracy.inputs import plan_cases
    from converter.demo.sources import fetch
    from converter.model.describe import describe
    from converter.model.inference_yml import read_inference_yml
    from converter.model.paddle_dir import find_model

    planned = {}
    for name, directory in fetch().items():
        model = find_model(directory)
        described = describe(model)
        values = read_inference_yml(model.yml).value_range if model.yml else None
        cases = plan_cases(described.inputs, described.shape_hints, values)
        planned[name] = {
            "directory": str(directory),
            "program": str(model.program),
            "params": str(model.params),
            "range": values or (0.0, 1.0),
            "cases": [{"seed": case.seed, "shapes": case.shapes} for case in cases],
        }
    return planned


def largest_difference(model: dict[str, Any], onnx_file: str, lap: Callable[[str], None]) -> float:
    """Run Paddle and ONNX Runtime on every case, as a careful user would."""
    import numpy
    import onnxruntime
    import paddle.inference

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    lap("session")
    config = paddle.inference.Config(model["program"], model["params"])
    config.disable_gpu()
    # Not a choice: with oneDNN, Paddle 3.3.1 cannot run PP-OCRv5 detection at all.
    config.disable_mkldnn()
    config.switch_ir_optim(False)
    predictor = paddle.inference.create_predictor(config)
    lap("predictor")
    low, high = model["range"]
    worst = 0.0
    for case in model["cases"]:
        random = numpy.random.default_rng(case["seed"])
        inputs = {
            name: random.uniform(low, high, shape).astype("float32")
            for name, shape in case["shapes"].items()
        }
        for name, array in inputs.items():
            predictor.get_input_handle(name).copy_from_cpu(array)
        predictor.run()
        names = predictor.get_output_names()
        expected = [predictor.get_output_handle(name).copy_to_cpu() for name in names]
        for a, b in zip(session.run(None, inputs), expected, strict=True):
            assert a.shape == b.shape
            worst = max(worst, float(numpy.abs(a - b).max()))
    lap("run and compare")
    return worst


def role_compare(model: dict[str, Any], onnx_file: str) -> int:
    """The third process of ``today``."""
    worst = largest_difference(model, onnx_file, lambda _: None)
    print(f"largest difference {worst:.3g}")
    return 0 if worst <= LARGEST_DIFFERENCE else 1


def role_floor(models: dict[str, dict[str, Any]], out: Path) -> int:
    """All models in this process: every library call that a conversion needs, once."""
    parts: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        parts[part] = parts.get(part, 0.0) + now - clock
        clock = now

    import onnx
    import onnxsim
    import paddle
    from paddle2onnx import paddle2onnx_cpp2py_export as native
    from paddle2onnx.convert import load_parameter, save_program

    # The one thing that is ours: there is no library that has these repairs.
    from converter.bridge.repair import repair_program

    lap("import")
    converted = []
    for name, model in models.items():
        program, params = Path(model["program"]), model["params"]
        if program.suffix == ".pdmodel":
            executor = paddle.static.Executor(paddle.CPUPlace())
            with paddle.pir_utils.OldIrGuard():
                old, _, _ = paddle.static.load_inference_model(
                    str(program.with_suffix("")), executor
                )
            translated = paddle.pir.translate_to_pir(old.desc)
            load_parameter(translated)
            save_program(translated, str(out / name))
            program, params = out / f"{name}.json", str(out / f"{name}.pdiparams")
            content = json.loads(program.read_bytes())
            repair_program(content)
            program.write_text(json.dumps(content))
            lap("translate, repair")
        options = (True, False, False, True, True, {}, "onnxruntime", "", "", False)
        data = native.export(str(program), params, OPSET, *options)
        lap("export")
        simplified, _ = onnxsim.simplify(onnx.load_model_from_string(data))
        path = str(out / f"{name}.onnx")
        onnx.save_model(simplified, path)
        lap("simplify")
        onnx.checker.check_model(path, full_check=True)
        lap("checker")
        if largest_difference(model, path, lap) <= LARGEST_DIFFERENCE:
            converted.append(name)
    (out / "floor.json").write_text(json.dumps({"converted": converted, "parts": parts}))
    return 0


def by_hand(
    models: dict[str, dict[str, Any]],
    out: Path,
    compare: Callable[[str, Path], list[str | Path]],
    environment: dict[str, str],
    flags: Sequence[str],
) -> Run:
    """The loop that people write: per model paddle2onnx, onnxsim and a script that compares."""
    run = Run()
    for name, model in models.items():
        exported, simplified = out / f"{name}.onnx", out / f"{name}.sim.onnx"
        files = ["--model_dir", model["directory"]]
        files += ["--model_filename", Path(model["program"]).name]
        files += ["--params_filename", Path(model["params"]).name] if model["params"] else []
        files += ["--save_file", str(exported), "--opset_version", str(OPSET), *flags]
        steps: list[tuple[str, list[str | Path], Path | None]] = [
            ("paddle2onnx", [SCRIPTS / "paddle2onnx", *files], exported),
            ("onnxsim", [sys.executable, "-m", "onnxsim", exported, simplified], simplified),
            ("compare", compare(name, simplified), None),
        ]
        for step, argv, made in steps:
            cost, code = measure(argv, out / f"{name}.{step}.log", environment)
            run.cost.add(cost)
            run.parts[step] = run.parts.get(step, 0.0) + cost.wall
            missing = made is not None and not (made.is_file() and made.stat().st_size)
            if code or missing:
                how = f"exit code {code}" if code else "no file"
                run.failures.append(f"{name}: {step} failed ({how})")
                break
        else:
            run.converted.append(name)
    return run


# --- the contenders ----------------------------------------------------------------------------


class Bench:
    """Runs the contenders in a directory of its own."""

    def __init__(self, models: dict[str, dict[str, Any]], directory: Path) -> None:
        self._models = models
        self._directory = directory
        self._packages = directory / "packages"
        self._plan = directory / "plan.json"
        self._plan.write_text(json.dumps(models))
        self._count = 0
        self._same: list[str] = []

    def warm_up(self) -> None:
        """Load every library from the disk once, and install what polygraphy would install.

        With its default options paddle2onnx lets polygraphy call pip while it converts. A user
        pays for that once; here it goes into a directory of ours and is not measured.
        """
        names = "onnx, onnxruntime, onnxsim, paddle, paddle2onnx"
        measure([sys.executable, "-c", f"import {names}"], self._directory / "warm.log", {})
        wanted = ["onnx_graphsurgeon>=0.3.27", "sympy", "mpmath"]
        _, code = measure([*self._pip(), *wanted], self._directory / "pip.log", {})
        if code:
            sys.stderr.write("pip cannot install them: today includes polygraphy's own attempts\n")

    def _pip(self) -> list[str]:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        return [*pip, "--target", str(self._packages)]

    def _fresh(self, name: str) -> Path:
        self._count += 1
        out = self._directory / f"{self._count}-{name}"
        out.mkdir()
        return out

    def _role(self, role: str, *arguments: str | Path) -> list[str | Path]:
        return [sys.executable, __file__, "--role", role, self._plan, *arguments]

    def today(self, *flags: str) -> Run:
        """Three processes per model."""
        environment = {
            "PYTHONPATH": str(self._packages),
            "POLYGRAPHY_INSTALL_CMD": " ".join(self._pip()),
        }
        compare = partial(self._role, "compare")
        run = by_hand(self._models, self._fresh("today"), compare, environment, flags)
        self._same = run.converted
        return run

    def today_none(self) -> Run:
        """The same without polygraphy."""
        return self.today("--optimize_tool", "None")

    def floor(self) -> Run:
        """One process."""
        out = self._fresh("floor")
        cost, code = measure(self._role("floor", out), out / "log", {})
        if code:
            return Run(cost, failures=[f"exit code {code}: {_last_line(out / 'log')}"])
        return Run(cost, **json.loads((out / "floor.json").read_text()))

    def ours(self, names: Sequence[str] | None = None) -> Run:
        """The command, as a user calls it."""
        out = self._fresh("ours")
        directories = [self._models[name]["directory"] for name in names or self._models]
        argv = [SCRIPTS / "paddle2om", "convert", *directories, "-o", out / "out"]
        cost, _ = measure([*argv, "--opset", str(OPSET)], out / "log", {})
        run = Run(cost)
        try:
            report = json.loads((out / "out" / "report.json").read_text())
        except OSError:
            run.failures.append(_last_line(out / "log"))
            return run
        for model in report["models"]:
            error = next((s["error"]["message"] for s in model["stages"] if s["error"]), "")
            if not error and not self._compared_as_planned(model):
                error = "validate did not compare the planned shapes"
            if error:
                run.failures.append(f"{model['name']}: {error}")
            else:
                run.converted.append(model["name"])
            for stage in model["stages"]:
                total = run.parts.get(stage["stage"], 0.0) + stage["seconds"]
                run.parts[stage["stage"]] = total
        return run

    def _compared_as_planned(self, model: dict[str, Any]) -> bool:
        """Whether our report compared what the other contenders were given to compare."""
        facts = next(stage["facts"] for stage in model["stages"] if stage["stage"] == "validate")
        compared = [
            {n: list(s) for n, s in c["input_shapes"].items()}
            for c in facts["cases"]
            if not c["label"].endswith("not optimised")
        ]
        planned = [
            {n: list(s) for n, s in case["shapes"].items()}
            for case in self._models[model["name"]]["cases"]
        ]
        return compared == planned

    def ours_same(self) -> Run:
        """Only what ``today`` converted."""
        return self.ours(self._same)

    def contenders(self) -> dict[str, Callable[[], Run]]:
        """In the order in which each round runs them."""
        return {
            "today": self.today,
            "today-none": self.today_none,
            "floor": self.floor,
            "ours": self.ours,
            "ours-same": self.ours_same,
        }


def _last_line(path: Path) -> str:
    return (path.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]


# --- the result --------------------------------------------------------------------------------

RATIOS = (
    ("today", "ours"),
    ("today-none", "ours"),
    ("ours", "floor"),
    ("today", "ours-same"),
    ("today-none", "ours-same"),
)


def summarise(runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Medians per contender and their ratios."""
    medians = {
        name: {
            **{
                kind: statistics.median(getattr(run.cost, kind) for run in done)
                for kind in ("wall", "cpu", "memory")
            },
            "converted": min(len(run.converted) for run in done),
            "failures": done[-1].failures,
            "parts": {
                part: statistics.median(run.parts.get(part, 0.0) for run in done)
                for part in done[-1].parts
            },
            "runs": [asdict(run.cost) for run in done],
        }
        for name, done in runs.items()
    }
    ratios = {
        f"{a} / {b}": {
            kind: medians[a][kind] / medians[b][kind] for kind in ("wall", "cpu", "memory")
        }
        for a, b in RATIOS
        if a in medians and b in medians
    }
    return {"medians": medians, "ratios": ratios}


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    from converter.engine.plan import tool_versions

    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "platform": platform.platform(),
        "versions": tool_versions(),
    }


def as_text(result: dict[str, Any]) -> str:
    """The result as a table."""
    facts, models = result["machine"], result["models"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [
        f"{len(models)} models, {sum(models.values())} cases, median of {result['repeat']}",
        f"{facts['cores']} cores, {facts['cpu']}, load {facts['load']:.1f} before",
        versions,
        "",
        f"{'':24}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'models':>8}",
    ]
    for name, row in result["medians"].items():
        asked = len(row["failures"]) + row["converted"]
        lines.append(
            f"{name:24}{row['wall']:9.2f}{row['cpu']:9.2f}{row['memory'] / 1e6:9.0f}"
            f"{row['converted']:6d}/{asked}"
        )
    lines.append("")
    for name, row in result["ratios"].items():
        lines.append(f"{name:24}{row['wall']:9.2f}{row['cpu']:9.2f}{row['memory']:9.2f}")
    lines.append("")
    for name, row in result["medians"].items():
        parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in row["parts"].items())
        lines.append(f"{name}: {parts}")
        lines += [f"    {failure}" for failure in row["failures"]]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the contenders and print what they took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON, every run included")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these contenders")
    options = parser.parse_args(arguments)
    models = plan_models()
    directory = Path(tempfile.mkdtemp(prefix="paddle2om-bench-"))
    try:
        bench = Bench(models, directory)
        contenders = bench.contenders()
        if unknown := set(options.only or ()) - contenders.keys():
            parser.error(f"no contender {min(unknown)}; there are {', '.join(contenders)}")
        names = [name for name in contenders if name in (options.only or contenders)]
        result: dict[str, Any] = {
            "repeat": options.repeat,
            "machine": machine(),
            "models": {name: len(model["cases"]) for name, model in models.items()},
        }
        bench.warm_up()
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for number in range(options.repeat):
            for name in names:
                runs[name].append(contenders[name]())
                cost = runs[name][-1].cost
                sys.stderr.write(f"round {number + 1}: {name} {cost.wall:.2f} s\n")
        result |= summarise(runs)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    whole = {"ours", "floor"} & runs.keys()
    return int(any(result["medians"][name]["converted"] < len(models) for name in whole))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--role"]:
        role, plan, *rest = sys.argv[2:]
        content = json.loads(Path(plan).read_text())
        if role == "compare":
            sys.exit(role_compare(content[rest[0]], rest[1]))
        sys.exit(role_floor(content, Path(rest[0])))
    sys.exit(main(sys.argv[1:]))
