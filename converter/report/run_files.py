"""The two files that every run leaves in its output directory, and the manifest that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.model.artefacts import (
    MANIFEST,
    read_manifest,
    read_om_input_shape,
    read_placement,
    read_run_content,
    write_manifest,
)
from converter.model.names import REPORT_FILES
from converter.model.result import RunReport
from converter.model.run_manifest import manifest_of
from converter.report.atomic import unwritable, write_text_atomically
from converter.report.html import render_html
from converter.report.json_file import render_json


def write_reports(report: RunReport, out_dir: Path) -> None:
    """Write ``report.json`` and ``report.html`` into ``out_dir``, and note them as ours.

    The manifest that notes them also has the run's, where the report is of ``convert`` or
    ``build``. Raises ``InputError`` when that cannot be.
    """
    page = render_html(report, image_roots=(out_dir,), files=".")
    texts = dict(zip(REPORT_FILES, (render_json(report), page), strict=True))
    run = manifest_of(report)
    write_noted(out_dir, texts, run=run.content() if run else None)


def files_of_ours(out_dir: Path) -> dict[str, list[str]]:
    """What the manifest of ``out_dir`` lists and is there: name -> digests."""
    listed = read_manifest(out_dir).items()
    return {name: digests for name, digests in listed if (out_dir / name).is_file()}


def write_noted(
    out_dir: Path,
    texts: Mapping[str, str],
    *,
    others: Mapping[str, list[str]] | None = None,
    run: dict[str, Any] | None = None,
) -> None:
    """Write ``texts`` by name into ``out_dir``, and a manifest of them and ``others``.

    The manifest goes first, with the digests of before too: whatever ends this in between leaves
    no file that a later run would take for somebody else's. What else the manifest says stays: of
    a model's directory, and of the run that filled it where there is no ``run``. Raises
    ``InputError``.
    """
    new = {name: [hashlib.sha256(text.encode()).hexdigest()] for name, text in texts.items()}
    before = read_manifest(out_dir)
    both = {name: [*before.get(name, ()), *digests] for name, digests in new.items()}
    _note(out_dir, {**before, **(others or {}), **both}, run)
    for name, text in texts.items():
        write_text_atomically(out_dir / name, text)
    _note(out_dir, {**(others or {}), **new}, run)


def _note(out_dir: Path, files: dict[str, list[str]], run: dict[str, Any] | None) -> None:
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        write_manifest(
            out_dir,
            files,
            om_input_shape=read_om_input_shape(out_dir),
            placement=read_placement(out_dir),
            run=run or read_run_content(out_dir),
        )
    except OSError as error:
        raise unwritable(out_dir / MANIFEST, error) from error
