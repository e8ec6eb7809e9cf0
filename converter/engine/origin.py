"""What a run was made from: digests of the models' files and of those that options name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from converter.engine.cache.digests import Digests
from converter.engine.cache.sources import source_files
from converter.errors import InputError
from converter.model.compile_options import CONFIG_FILES
from converter.model.paddle_dir import find_model
from converter.model.recipe import PlannedModel, PlannedPipeline
from converter.model.result import SourceFile
from converter.model.task import ConvertOptions


def files_of_models(
    models: Sequence[PlannedModel], digests: Digests
) -> dict[str, tuple[SourceFile, ...]]:
    """Model name -> the files that decide its result, as they are now.

    Read once for all variants, several at a time. What cannot be read is left out: the stage that
    needs it says so.
    """
    sources: dict[Path, tuple[Path, ...]] = {}
    for model in models:
        source = model.source.absolute()
        if source not in sources:
            sources[source] = _model_files(source)
    named = {
        model.name: (*sources[model.source.absolute()], *named_by(model.options))
        for model in models
    }
    digests.read_all(file for files in named.values() for file in files)
    return {name: digested(files, digests) for name, files in named.items()}


def _model_files(source: Path) -> tuple[Path, ...]:
    """The files of a model; none where there is no model, however much else there is."""
    try:
        find_model(source)
    except (InputError, OSError):
        return ()
    return source_files(source)


def files_of_pipeline(pipeline: PlannedPipeline, digests: Digests) -> tuple[SourceFile, ...]:
    """The files that a pipeline of a recipe names: its base, if that is one, and dictionaries."""
    named = [Path(pipeline.base), *pipeline.dictionaries.values()]
    return digested((file for file in named if file.is_file()), digests)


def digested(files: Iterable[Path], digests: Digests) -> tuple[SourceFile, ...]:
    """Path, size and digest of each file that can be read."""
    found = []
    for file in dict.fromkeys(file.absolute() for file in files):
        with suppress(OSError):
            size = file.stat().st_size
            found.append(SourceFile(path=str(file), bytes=size, sha256=digests.of(file)))
    return tuple(found)


def named_by(options: ConvertOptions) -> tuple[Path, ...]:
    """The files that options name: data to compare on, and what atc is given."""
    compiled = options.compile
    named: list[Path] = []
    if options.data:
        from converter.accuracy.user_data import data_files

        for path in options.data:
            with suppress(InputError, OSError):  # validate says what is wrong with it
                named += data_files(Path(path))
    if compiled.soc is not None:
        texts = [getattr(compiled, name) for name in CONFIG_FILES]
        texts += [compiled.aipp, *compiled.flags.values()]
        named += [Path(text) for text in texts if text and Path(text).is_file()]
    return tuple(named)


def moved(path: str, moves: Mapping[str, str]) -> str:
    """``path`` with the longest of the old beginnings in ``moves`` replaced by the new one."""
    for old in sorted(moves, key=len, reverse=True):
        if Path(path).is_relative_to(old):
            return str(Path(moves[old]) / Path(path).relative_to(old))
    return path
