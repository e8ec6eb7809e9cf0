"""Models of Paddle 1.x and early 2.x whose parameters lie in one file each.

Each file is a record as the combined file has it (``converter.model.pdiparams``), named after its
parameter. The combined file is those records in the order of the names.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from converter.errors import InputError
from converter.model.files import unreadable
from converter.model.pdiparams import ParamHeader, check_parameters, read_headers
from converter.model.program import Parameter


def separate_files(directory: Path, parameters: Sequence[Parameter]) -> list[Path]:
    """The parameters' files in the order of their names; empty when not one of them is there.

    Raises ``InputError`` naming the first one that is missing beside others.
    """
    names = sorted(parameter.name for parameter in parameters)
    files = [directory / name for name in names]
    # A name with "..": not a file of this directory.
    found = [f.is_file() and directory in f.parents and ".." not in f.parts for f in files]
    if not any(found):
        return []
    if not all(found):
        missing = names[found.index(False)]
        raise InputError(
            f"missing weights: {directory} has {sum(found)} of {len(names)} parameter files, "
            f"{missing} is not there",
            hint="copy or download the model again",
        )
    return files


def read_separate_headers(
    files: Sequence[Path], parameters: Sequence[Parameter]
) -> tuple[ParamHeader, ...]:
    """The files' headers, with offsets as in the combined file, checked against the program."""
    headers = []
    begin = 0
    for path in files:
        (header,) = read_headers(path, expected=1)
        headers.append(replace(header, offset=begin + header.offset))
        begin += path.stat().st_size
    return check_parameters(tuple(parameters), tuple(headers))


def combine(files: Sequence[Path], target: Path) -> None:
    """Write the combined parameter file. Raises ``InputError`` when a file cannot be read."""
    with target.open("wb") as combined:
        for path in files:
            try:
                source = path.open("rb")
            except OSError as error:
                raise unreadable(path, error) from error
            with source:
                shutil.copyfileobj(source, combined, 1 << 20)
