"""The command lines that make one model of a run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from converter.model.compile_options import CONFIG_FILES, CompileOptions
from converter.model.result import ModelReport, RunReport
from converter.model.task import DEFAULT_TIMEOUT, ConvertOptions

_DEFAULT = ConvertOptions()

#: A flag and its value, or what else belongs on one line.
Words = tuple[str, ...]


def convert_words(model: ModelReport) -> list[Words]:
    """``paddle2om convert`` with the options of ``model``; empty when they are not recorded.

    A limit on atc's own time is left out: only recipes have one.
    """
    if model.options is None:
        return []
    options = model.options
    words: list[Words] = [("paddle2om", "convert", model.source), ("-o", model.name)]
    words.append(("--opset", str(options.opset)))
    words += _compile_words(options.compile)
    words += [("--rename", f"{old}={new}") for old, new in options.rename.items()]
    if not options.simplify:
        words.append(("--no-simplify",))
    for flag, value in (
        ("--atol", options.atol),
        ("--rtol", options.rtol),
        ("--min-agreement", options.min_agreement),
        ("--memory", options.memory),
    ):
        if value is not None:
            words.append((flag, repr(value)))
    for name, limits in options.tolerances.items():
        told = ",".join(f"{limit}={value!r}" for limit, value in limits.given.items())
        words.append(("--tolerance", f"{name}:{told}"))
    if options.seed != _DEFAULT.seed:
        words.append(("--seed", str(options.seed)))
    if options.sweep:
        words.append(("--sweep",))
    words += [("--data", path) for path in options.data]
    if options.timeout != DEFAULT_TIMEOUT:
        words.append(("--timeout", repr(options.timeout)))
    return words


def _compile_words(options: CompileOptions) -> Iterator[Words]:
    if options.soc is None:
        return
    yield "--soc", options.soc
    for name, shape in options.shapes.items():
        yield "--shape", f"{name}={_dims(shape)}"
    for profile in options.profiles:
        yield "--profile", _profile(profile)
    # What a forecast asks for is in these fields too, once it was read.
    precision = ("precision_from",) if options.precision_from else ("precision", *CONFIG_FILES)
    for field in ("profile_flag", *precision, "aipp", "cann"):
        if (value := getattr(options, field)) is not None:
            yield f"--{field.replace('_', '-')}", str(value)
    for name, value in options.flags.items():
        yield "--atc-flag", f"{name.removeprefix('--')}={value}"
    if options.target != "paddlex":
        yield "--target", options.target
    if options.on != "local":
        yield "--on", options.on


def _profile(shapes: Mapping[str, Sequence[int]]) -> str:
    return ";".join(f"{name}={_dims(shape)}" for name, shape in shapes.items())


def _dims(shape: Sequence[int]) -> str:
    return ",".join(map(str, shape))


def reproducible(report: RunReport) -> bool:
    """Whether the run has a manifest: the options of all of its models are recorded."""
    return all(model.options is not None for model in report.models)


def reproduce_words(report: RunReport, model: ModelReport) -> list[Words]:
    """``paddle2om reproduce`` for one model of a run that is ``reproducible``."""
    return [("paddle2om", "reproduce", report.out_dir, "--model", model.name)]


def command_text(words: Sequence[Words]) -> str:
    """A command for a shell, one flag per line."""
    return " \\\n    ".join(shlex.join(line) for line in words)
