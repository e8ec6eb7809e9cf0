"""The functions behind ``from converter import ...``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.engine.convert import (
    as_path,
    export_onnx,
    make_options,
    run_conversion,
)
from converter.engine.out_directory import whole_run
from converter.engine.validate import run_validation
from converter.errors import InputError, Interrupted
from converter.model.compile_options import CompileOptions
from converter.model.result import RunReport
from converter.model.task import DEFAULT_OPSET, ConvertOptions
from converter.report.run_files import write_reports

__all__ = ["convert", "export_onnx", "validate", "write_reports"]


def convert(
    models: str | Path | Sequence[str | Path],
    out_dir: str | Path,
    *,
    opset: int = DEFAULT_OPSET,
    soc: str | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    rename: Mapping[str, str] | None = None,
    compile_options: CompileOptions | None = None,
    simplify: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
    tolerances: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
    sweep: bool = False,
    data: str | Path | Sequence[str | Path] = (),
    min_agreement: float | None = None,
    jobs: int | None = None,
    timeout: float = ConvertOptions().timeout,
    memory: int | None = None,
    force: bool = False,
    strict: bool = False,
) -> RunReport:
    """Convert Paddle models through every stage and write ``report.json`` and ``report.html``.

    ``models`` are model directories or program files; each goes to ``out_dir/<name>/``. ``soc`` is
    an atc ``--soc_version``; ``shapes`` maps a graph input to the static shape of the OM file;
    ``compile_options`` holds what else there is to say about OM files, and is overridden by those
    two. ``rename`` maps Paddle's names of inputs and outputs to the ONNX file's. ``tolerances``
    maps Paddle's names of outputs, or patterns, to limits: ``{"softmax_*": {"atol": 1e-4}}``.
    ``sweep`` compares on many more shapes of the dynamic dims. ``data`` are files and folders to
    compare on besides (``.npz``, ``.npy``, images), and ``min_agreement`` is the share, 0 to 1, of
    equal texts, classes or boxes below which a model fails.
    ``jobs`` is the number of models converted at a time (default: one per CPU), ``timeout`` the
    seconds one model may take, ``memory`` the bytes. ``force`` lets an existing
    ``inference.onnx`` that paddle2om did not make be replaced.

    A model that fails is a row of the returned report: look at ``report.exit_code`` or
    ``report.models[i].failure``. Raises ``InputError`` for wrong arguments, ``WorkerError`` when no
    worker process starts, ``Interrupted`` after Ctrl-C (the partial report is written first), and
    ``KeyboardInterrupt`` after one that came while the reports were written, which are whole.
    """
    if isinstance(models, bytes) or not isinstance(models, str | os.PathLike | Sequence):
        raise InputError(f"{models!r} is not a model", hint="give a path or a list of paths")
    named = [models] if isinstance(models, str | os.PathLike) else list(models)
    if not isinstance(shapes, Mapping | None):
        raise InputError(f"shapes is {shapes!r}", hint='give a dict, as {"x": (1, 3, 48, 320)}')
    if not isinstance(compile_options, CompileOptions | None):
        raise InputError(
            f"compile_options is {compile_options!r}", hint="give a converter.CompileOptions"
        )
    files = [data] if isinstance(data, str | os.PathLike) else data
    if not isinstance(files, Sequence) or isinstance(files, bytes):
        raise InputError(f"data is {data!r}", hint="give a path or a list of paths")
    compiled = dict(compile_options or CompileOptions())
    if soc is not None:
        compiled["soc"] = soc
    if shapes is not None:
        compiled["shapes"] = {name: tuple(shape) for name, shape in shapes.items()}
    options = make_options(
        opset=opset,
        rename=dict(rename or {}),
        compile=compiled,
        simplify=simplify,
        atol=atol,
        rtol=rtol,
        tolerances=dict(tolerances or {}),
        seed=seed,
        sweep=sweep,
        data=tuple(str(path.absolute()) for path in map(as_path, files)),
        min_agreement=min_agreement,
        timeout=timeout,
        memory=memory,
    )
    out = as_path(out_dir)
    with whole_run(out):
        report = run_conversion(
            [as_path(model) for model in named],
            out,
            options,
            jobs=jobs,
            force=force,
            strict=strict,
            command="convert",
        )
        write_reports(report, out)
    if report.interrupted:
        raise Interrupted("interrupted", hint=f"{out / 'report.json'} has what was done")
    return report


def validate(
    reference: str | Path,
    candidate: str | Path,
    *,
    out_dir: str | Path | None = None,
    on_device: bool = False,
    rename: Mapping[str, str] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    tolerances: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
    sweep: bool = False,
    min_agreement: float | None = None,
    timeout: float = ConvertOptions().timeout,
    force: bool = False,
    strict: bool = False,
) -> RunReport:
    """Compare what two models compute, or what was recorded of them.

    Each is a Paddle model, an ONNX file, an ``.npz`` file of recorded outputs or a directory of
    those; ``candidate`` is judged by ``reference``. ``rename`` maps the reference's names of inputs
    and outputs to the candidate's; ``tolerances`` is as for ``convert``, by the reference's names.
    ``sweep`` compares two models on many more shapes of the dynamic dims. ``min_agreement`` is as
    for ``convert``; the kind of model is read from the ``inference.yml`` of the first that has one.
    ``on_device`` says that an NPU computed the candidate's outputs, which has a wider default
    tolerance. With ``out_dir``, ``report.json`` and ``report.html`` are written there.

    The verdict is ``report.exit_code``: 0, or 3 when the two disagree; the numbers are in
    ``report.models[0].facts("validate")``. What is wrong with the two is a failure in the report,
    as for ``convert``. Raises ``InputError`` for wrong arguments, ``WorkerError`` when no worker
    process starts, ``Interrupted`` after Ctrl-C.
    """
    options = make_options(
        rename=dict(rename or {}),
        atol=atol,
        rtol=rtol,
        tolerances=dict(tolerances or {}),
        seed=seed,
        sweep=sweep,
        min_agreement=min_agreement,
        timeout=timeout,
    )
    out = None if out_dir is None else as_path(out_dir)
    with whole_run(out):
        report = run_validation(
            as_path(reference),
            as_path(candidate),
            options,
            out=out,
            on_device=on_device,
            force=force,
            strict=strict,
            command="validate",
        )
        if out is not None:
            write_reports(report, out)
    if report.interrupted:
        raise Interrupted("interrupted", hint="nothing was compared to the end")
    return report
