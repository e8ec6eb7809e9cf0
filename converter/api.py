"""The functions behind ``from converter import ...``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.engine.convert import REPORT_FILES, export_onnx, make_options, run_conversion
from converter.errors import Interrupted
from converter.model.artefacts import read_manifest, sha256_of, write_manifest
from converter.model.result import RunReport
from converter.model.task import DEFAULT_OPSET, ConvertOptions
from converter.report.html import write_html
from converter.report.json_file import write_json

__all__ = ["convert", "export_onnx", "write_reports"]


def convert(
    models: str | Path | Sequence[str | Path],
    out_dir: str | Path,
    *,
    opset: int = DEFAULT_OPSET,
    soc: str | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    simplify: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    timeout: float = ConvertOptions().timeout,
    force: bool = False,
    strict: bool = False,
) -> RunReport:
    """Convert Paddle models through every stage and write ``report.json`` and ``report.html``.

    ``models`` are model directories or program files; each goes to ``out_dir/<name>/``. ``soc`` is
    an atc ``--soc_version``; ``shapes`` maps a graph input to the static shape of the OM file.
    ``jobs`` is the number of models converted at a time (default: one per CPU), ``timeout`` the
    seconds one model may take. ``force`` lets an existing ``inference.onnx`` that paddle2om did not
    make be replaced.

    A model that fails is a row of the returned report: look at ``report.exit_code`` or
    ``report.models[i].failure``. Raises ``InputError`` for wrong arguments, ``WorkerError`` when no
    worker process starts, ``Interrupted`` after Ctrl-C (the partial report is written first).
    """
    named = [models] if isinstance(models, str | Path) else list(models)
    options = make_options(
        opset=opset,
        soc=soc,
        shapes={name: tuple(shape) for name, shape in (shapes or {}).items()},
        simplify=simplify,
        atol=atol,
        rtol=rtol,
        seed=seed,
        timeout=timeout,
    )
    out = Path(out_dir)
    report = run_conversion(
        [Path(model) for model in named],
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


def write_reports(report: RunReport, out_dir: Path) -> None:
    """Write ``report.json`` and ``report.html`` into ``out_dir``, and note them as ours."""
    json_file, html_file = (out_dir / name for name in REPORT_FILES)
    write_json(report, json_file)
    write_html(report, html_file)
    logs = [model.log for model in report.models if model.log]
    written = [name for name in (*REPORT_FILES, *logs) if (out_dir / name).is_file()]
    manifest = read_manifest(out_dir)
    manifest |= {name: [sha256_of(out_dir / name)] for name in written}
    write_manifest(out_dir, manifest)
