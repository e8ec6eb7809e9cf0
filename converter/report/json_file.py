"""``report.json``: the run report as JSON, written whole or not at all, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.errors import InputError
from converter.model.files import read_json_text
from converter.model.problems import first_problem
from converter.model.result import SCHEMA_VERSION, RunReport

_WANTED = "give the report.json that a paddle2om run wrote into its output directory"


def render_json(report: RunReport) -> str:
    """The JSON text; NaN and infinities become strings, so any JSON reader copes."""
    return report.model_dump_json(indent=2) + "\n"


def read_json(path: Path | str) -> RunReport:
    """Read a report that `render_json` made. Raises ``InputError`` when ``path`` holds none."""
    path = Path(path)
    text, header = read_json_text(path, hint=_WANTED)
    _check_header(path, header)
    try:
        return RunReport.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"{path} is not a complete paddle2om report: {first_problem(error)}",
            hint="the file was edited, or a development version wrote it; run the command again",
        ) from error


def _check_header(path: Path, header: Any) -> None:
    """Raise unless ``header`` says that it is a paddle2om report of a schema read here."""
    if not isinstance(header, dict) or header.get("tool") != "paddle2om":
        raise InputError(f"{path} is JSON, but not a paddle2om report", hint=_WANTED)
    schema = header.get("schema_version")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise InputError(f"{path} has no valid schema_version: {schema!r}", hint=_WANTED)
    if schema > SCHEMA_VERSION:
        raise InputError(
            f"{path} has report schema {schema}; this paddle2om reads up to {SCHEMA_VERSION}",
            hint=f"upgrade paddle2om: version {header.get('version', 'unknown')} wrote the file",
        )
