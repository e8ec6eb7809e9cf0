"""Which files a model is made of, for the keys of its results."""

from __future__ import annotations

from pathlib import Path

from converter.errors import InputError
from converter.model.paddle_dir import find_model

#: Files looked at where it is not clear which of a directory's are the model's.
_AT_MOST = 2000


def source_files(source: Path) -> tuple[Path, ...]:
    """The files that decide what ``source`` is converted to.

    Program, parameters and ``inference.yml``; where that cannot be told (one file per parameter, a
    directory without a model), all files of the directory. Empty when there is none.
    """
    try:
        model = find_model(source)
    except (InputError, OSError):
        model = None
    if model is not None and model.params is not None:
        return tuple(path for path in (model.program, model.params, model.yml) if path)
    directory = source.parent if source.is_file() else source
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError:
        return ()
    return tuple(files) if len(files) <= _AT_MOST else ()
