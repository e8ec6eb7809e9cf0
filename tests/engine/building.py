"""Builds as users run them, for tests that disturb them, and what they must leave behind."""

import hashlib
import shutil
import subprocess

from converter.model.compile_options import CompileOptions
from converter.model.task import ConvertOptions, Task
from tests.command import COMMAND, environment

#: Seconds in which a build must end.
LIMIT = 240


def start(root, out, *words):
    """Start ``paddle2om build zoo.yaml -o out``; what it says goes to one pipe.

    The user's cache is in ``root`` too.
    """
    command = [*COMMAND, "build", "zoo.yaml", "-o", out, *words]
    return subprocess.Popen(
        list(map(str, command)),
        cwd=root,
        env=environment(PADDLE2OM_CACHE=str(root / "user")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    """Exit code and what was said; whatever was done to it, it said no traceback."""
    said, _ = process.communicate(timeout=LIMIT)
    assert "Traceback" not in said, said
    return process.returncode, said


def build(root, out, *words):
    """``start`` and ``finish``."""
    return finish(start(root, out, *words))


def artefacts(out):
    """What a build is for: every file beside the reports, by digest."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.parent != out and path.parent.name != "logs"
    }


def undisturbed(root, tiny_pir, cls_model):
    """Write a zoo of five conversions to ``root``, build it there, and return its artefacts."""
    for name in ("a", "b"):
        shutil.copytree(tiny_pir, root / "models" / name)
    shutil.copytree(cls_model, root / "models" / "c")
    (root / "zoo.yaml").write_text(
        "schema: 1\nmodels:\n  - path: models/[ab]\n    variants: {opset: [11, 13]}\n"
        "  - path: models/c\n"
    )
    code, said = build(root, "undisturbed", "--no-cache")
    assert code == 0, said
    made = artefacts(root / "undisturbed")
    assert len([name for name in made if name.endswith("inference.onnx")]) == 5
    return made


def task(**compile_options):
    """A task whose paths lead nowhere."""
    return Task(
        name="m",
        source="/models/m",
        stages=("inspect",),
        work_dir="/out/work/0",
        destination="/out/m",
        report_root="/out",
        options=ConvertOptions(compile=CompileOptions(**compile_options)),
    )
