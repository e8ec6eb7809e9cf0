"""A check of a config for people: a table of its modules, and what was read off the images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from converter.paddlex.check import CheckedPage, CheckReport, ModuleCheck
from converter.report.columns import columns
from converter.report.format import one_line, seconds

_ABSENT = {
    "off": "off",
    "unused": "not created with the pipeline",
    "skipped": "no model to convert",
    "download": "would be downloaded",
}


def check_text(report: CheckReport) -> str:
    """The lines that ``paddle2om check`` prints."""
    return "\n".join(_lines(report))


def _lines(report: CheckReport) -> Iterator[str]:
    yield f"{report.wrapper}, " * bool(report.wrapper) + f"PaddleX {report.paddlex}"
    if report.ultra_infer == "missing" and any(m.state == "resolved" for m in report.modules):
        yield "ultra_infer is not installed here: what it would open was seen, and not opened"
    yield ""
    rows = [_row(module) for module in report.modules]
    yield from columns([("module", "model", "runs on", "device", "file"), *rows])
    for page in report.pages:
        yield ""
        yield from _page(page)


def _row(module: ModuleCheck) -> tuple[str, ...]:
    if module.state in _ABSENT:
        return module.module, module.model_name, _ABSENT[module.state], "", ""
    if module.state == "failed":
        return module.module, module.model_name, "fails", "", module.problems[0].name
    file = Path(module.files[0]).name if module.files else ""
    seen = f"{file} (not opened)" if module.state == "resolved" else file
    return module.module, module.model_name, module.engine or "", module.device or "", seen


def _page(page: CheckedPage) -> Iterator[str]:
    yield f"{page.image}  {seconds(page.seconds)}"
    if page.problem is not None:
        yield f"  failed: {page.problem}"
    elif page.texts is not None:
        yield from (f"  {one_line(text)}" for text in page.texts)
    else:
        values = (page.values or {}).items()
        yield from (f"  {name}: {one_line(str(value))}" for name, value in values)
