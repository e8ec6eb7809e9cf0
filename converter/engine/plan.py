"""From what the user named to tasks: a name, a destination and a work directory for each model."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from converter.engine.out_directory import cannot_write, held
from converter.errors import InputError
from converter.model.cache_home import CACHE_VARIABLE
from converter.model.compile_options import CompileOptions
from converter.model.distributions import distributions_of
from converter.model.names import RESERVED, check_model_name
from converter.model.paddle_dir import model_name
from converter.model.recipe import PlannedModel
from converter.model.task import OPSET_HINT, OPSET_RANGE, ConvertOptions, Task
from converter.stages.pipeline import STAGES

_LOG_MARK = "paddle2om: log of "

_WORK_PREFIX = ".paddle2om-work-"

#: Flags that are called otherwise than their field of ``CompileOptions``.
_FLAG_OF = {"shapes": "shape", "profiles": "profile", "flags": "atc-flag"}


def _check_text(path: Path) -> None:
    """Refuse names that a report cannot hold: bytes that are not text in this locale, and NUL."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode(errors="replace").decode()
        raise InputError(
            f"the name {shown} is not UTF-8 text",
            hint="rename it; if it is Chinese or the like, set PYTHONUTF8=1 or a UTF-8 locale",
        ) from error
    if "\0" in str(path):
        raise InputError("a path has a NUL character in it", hint="give a real path")


def unique_names(sources: Sequence[Path]) -> list[str]:
    """One name per source; sources of the same name get their parent directory's name in front.

    Raises ``InputError`` when that does not tell them apart either, when one is given twice, and
    for names that no directory may have.
    """
    if not sources:
        raise InputError("no model given", hint="name at least one model directory")
    for source in sources:
        _check_text(source)
    twice = [s for s, count in Counter(source.resolve() for source in sources).items() if count > 1]
    if twice:
        raise InputError(f"{twice[0]} is given more than once", hint="name each model once")
    names = [model_name(source) for source in sources]
    counts = Counter([*names, *RESERVED])
    for index, source in enumerate(sources):
        if counts[names[index]] > 1:  # another model's name, or one of ours
            parent = source.resolve().parent
            parent = parent.parent if source.is_file() else parent
            names[index] = f"{parent.name}_{names[index]}"
    for name in names:
        check_model_name(name)
    clash = next((name for name, count in Counter(names).items() if count > 1), None)
    if clash:
        raise InputError(
            f"several models are called {clash}", hint="convert them into different -o directories"
        )
    return names


def check_options(options: ConvertOptions) -> ConvertOptions:
    """The options with their chip resolved.

    Raises ``InputError`` for what no model could be converted with.
    """
    if options.opset not in OPSET_RANGE:
        raise InputError(
            f"opset {options.opset} is not supported",
            hint=OPSET_HINT,
        )
    compiled = resolve_compile_options(options.compile)
    for name, value in (("--atol", options.atol), ("--rtol", options.rtol)):
        if value is not None and not 0 <= value < math.inf:
            raise InputError(f"{name} {value} is not a tolerance", hint="give a number >= 0")
    if options.min_agreement is not None and not 0 <= options.min_agreement <= 1:
        raise InputError(
            f"--min-agreement {options.min_agreement} is not a share",
            hint="give a number from 0 to 1; 1 means that nothing may differ",
        )
    if options.data:
        from converter.accuracy.user_data import check_data

        check_data(options.data)
    if options.seed < 0:
        raise InputError(f"--seed {options.seed} is negative", hint="give a number >= 0")
    if options.memory is not None and options.memory <= 0:
        raise InputError("--memory must be positive", hint="give an amount, for example 4G")
    if not options.timeout > 0:
        raise InputError(
            f"a timeout of {options.timeout} s is no time limit",
            hint="give seconds, for example 900",
        )
    return options.model_copy(update={"compile": compiled})


def resolve_compile_options(options: CompileOptions) -> CompileOptions:
    """The options with the chip that ``auto`` or a card's name means.

    Raises ``InputError`` for what no model could be compiled with.
    """
    if options.soc == "auto" and options.on != "local":
        raise InputError(
            f"--soc auto asks this host, and atc is to run elsewhere (--on {options.on})",
            hint="name the chip that the OM file is for, for example --soc Ascend310P3",
        )
    if options.soc is not None:
        from converter.atc.soc_detect import resolve_soc

        resolved = options.model_copy(update={"soc": resolve_soc(options.soc)})
        if options.precision_from is None:
            return resolved
        from converter.engine.precision_from import with_forecast

        return with_forecast(resolved)
    if options.asked:
        flag = _FLAG_OF.get(options.asked[0], options.asked[0].replace("_", "-"))
        raise InputError(
            f"--{flag} without --soc: it says how an OM file is compiled",
            hint=f"add --soc Ascend310P3 (see npu-smi info), or leave --{flag} out",
        )
    return options


def check_is_no_file(out_dir: Path) -> None:
    """Refuse an output directory that is a file."""
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(
            f"{out_dir} is a file, and results go into a directory",
            hint="name a directory with -o; it is made if it does not exist",
        )


def check_out_dir(out_dir: Path, sources: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse an output directory that is a file, or would put files into a model directory."""
    _check_text(out_dir)
    check_is_no_file(out_dir)
    directories = _directories(sources)
    for name in names:
        around = _around(out_dir / name, directories)
        if around is not None:
            raise InputError(
                f"output {out_dir / name} lies in the model directory {around}",
                hint="choose an output directory elsewhere with -o",
            )


def check_cache_dir(
    cache: Path, out_dir: Path, sources: Sequence[Path], names: Sequence[str]
) -> None:
    """Refuse a cache where models are read or written, and an output directory in the cache.

    All of a cache can be removed at any time, and what is beside it must not be taken for it. It
    may be in the output directory, under a name that is no model's.
    """
    elsewhere = f"name another directory with --cache or {CACHE_VARIABLE}, or use no cache"
    around = _around(cache, _directories(sources))
    if around is not None:
        raise InputError(f"the cache {cache} lies in the model directory {around}", hint=elsewhere)
    if _around(out_dir, {cache.resolve()}) is not None:
        raise InputError(
            f"output {out_dir} lies in the cache {cache}",
            hint="choose an output directory elsewhere with -o",
        )
    around = _around(cache, {(out_dir / name).resolve() for name in (*names, *RESERVED)})
    if around is not None:
        raise InputError(
            f"the cache {cache} lies in {around}, which the results are written to", hint=elsewhere
        )


def _directories(sources: Sequence[Path]) -> set[Path]:
    return {(each.parent if each.is_file() else each).resolve() for each in sources}


def _around(path: Path, directories: Collection[Path]) -> Path | None:
    """The one of ``directories`` (resolved) that ``path`` is or lies in."""
    path = path.resolve()
    return next((each for each in (path, *path.parents) if each in directories), None)


@contextlib.contextmanager
def work_directory(out_dir: Path) -> Iterator[Path]:
    """A fresh work directory in ``out_dir``, which is this run's alone while it lasts.

    What killed runs left behind is removed. Raises ``InputError`` as ``held``.
    """
    with held(out_dir):
        try:
            for stale in out_dir.glob(f"{_WORK_PREFIX}*"):
                shutil.rmtree(stale, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX, dir=out_dir))
        except OSError as error:
            raise cannot_write(error) from error
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def tasks_for(
    models: Sequence[PlannedModel], out_dir: Path, work: Path, *, threads: int, force: bool
) -> list[Task]:
    """The tasks of ``models``, with work directories below ``work`` that are not made yet."""
    return [
        Task(
            name=model.name,
            model=model.model,
            variant=model.variant,
            source=str(model.source.absolute()),
            stages=STAGES,
            work_dir=str((work / str(index)).absolute()),
            destination=str((out_dir / model.name).absolute()),
            report_root=str(out_dir.absolute()),
            force=force,
            options=model.options.model_copy(update={"threads": threads}),
        )
        for index, model in enumerate(models)
    ]


def begin_log(log: Path, model: str) -> Path:
    """Begin a log anew. Its first line says whose it is, so that a later run may replace it.

    Raises ``InputError`` when it cannot be written.
    """
    try:
        log.parent.mkdir(exist_ok=True)
        log.write_text(f"{_LOG_MARK}{model}\n", encoding="utf-8")
    except OSError as error:
        raise cannot_write(error) from error
    return log


def check_logs(logs: Iterable[Path]) -> None:
    """Refuse to replace files in the log directory that are not logs of ours."""
    for log in logs:
        try:
            with log.open("rb") as file:
                ours = file.read(len(_LOG_MARK)) == _LOG_MARK.encode()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise cannot_write(error) from error
        if not ours:
            raise InputError(
                f"{log} exists and is not a log of paddle2om",
                hint="choose another output directory with -o, or replace the file with --force",
            )


def available_cpus() -> int:
    """CPUs this process may use (less than the machine has, in a container)."""
    return len(os.sched_getaffinity(0))


def tool_versions() -> dict[str, str]:
    """Versions of the packages that decide what a conversion gives, as they are called here."""
    names = ("paddlepaddle", "paddle2onnx", "onnx", "onnxsim", "onnxruntime", "numpy")
    versions = {"python": platform.python_version()}
    for name in names:
        versions |= distributions_of(name)
    return versions
