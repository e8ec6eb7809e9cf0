"""Compiles as an earlier ``paddle2om forecast`` found that a model has to be compiled."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from pydantic import ValidationError

from converter.atc.precision_files import unkeepable_types
from converter.errors import InputError
from converter.model.compile_options import CONFIG_FILES, CompileOptions, PrecisionForecast
from converter.model.forecast import EVERYTHING_FLOAT32, ForecastFacts, PrecisionWay
from converter.model.result import RunReport

_AGAIN = "make one with paddle2om forecast MODEL --soc SOC -o DIR, and give DIR"


def with_forecast(options: CompileOptions) -> CompileOptions:
    """The options with what the report that ``precision_from`` names asks for.

    ``soc`` is resolved already. Raises ``InputError`` for what is no such report, one of another
    kind of chip, files that are gone, and precision flags beside it.
    """
    if options.precision_from is None or options.forecast is not None:
        return options
    given = [name for name in ("precision", *CONFIG_FILES) if getattr(options, name) is not None]
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} beside --precision-from",
            hint="the forecast decides both; leave one of them out",
        )
    path = Path(options.precision_from)
    file = path / "report.json" if path.is_dir() else path
    facts = _facts(file)
    cannot = unkeepable_types(options.soc) - set(facts.unkeepable)
    types = {one.name: one.op_type for one in facts.operators}
    if odd := [name for name in facts.keep or () if types.get(name) in cannot]:
        raise InputError(
            f"{file} keeps {odd[0]} ({types[odd[0]]}) in float32, which {options.soc} cannot",
            hint=f"forecast again with --soc {options.soc}",
        )
    if facts.passed:
        told = PrecisionForecast(
            acceptable=True, reason="float16 everywhere is forecast to be enough"
        )
        return options.model_copy(update={"forecast": told, "forecast_of": facts.sha256})
    if facts.keep is None:
        told = PrecisionForecast(acceptable=False, reason=_hopeless(facts))
        return options.model_copy(update={"forecast": told, "forecast_of": facts.sha256})
    if not facts.ways:
        raise InputError(
            f"{file} has no file and no flag for atc: the operators to keep have no names",
            hint="forecast an ONNX file whose operators have names, as convert makes them",
        )
    half = unkeepable_types(options.soc)
    way = next((w for w in facts.ways if not (half and w.flags == EVERYTHING_FLOAT32)), None)
    if way is None:
        raise InputError(
            f"{file} asks for --precision origin, and {options.soc} computes "
            f"{', '.join(sorted(half))} in float16 whatever is asked",
            hint=f"forecast again with --soc {options.soc}",
        )
    changes: dict[str, object] = {"forecast_of": facts.sha256, **_asked(way, file)}
    changes["forecast"] = PrecisionForecast(
        acceptable=True,
        reason=f"{way.float32} of {len(facts.operators)} operators stay in float32, "
        "as the forecast asks",
    )
    return options.model_copy(update=changes)


def _asked(way: PrecisionWay, file: Path) -> dict[str, str]:
    """The options that the flags of a way stand for."""
    asked = {}
    for name, value in zip_longest(way.flags[::2], way.flags[1::2]):
        field = name.removeprefix("--").replace("-", "_")
        if value is None or field not in ("precision", *CONFIG_FILES):
            raise InputError(
                f"--precision-from: {file} has flags that compile does not take: "
                f"{' '.join(way.flags)}",
                hint=_AGAIN,
            )
        asked[field] = value if field == "precision" else str(_beside(file, value))
    return asked


def _hopeless(facts: ForecastFacts) -> str:
    failing = [out for case in facts.cases for out in case.outputs if not out.passed]
    which = f"output {failing[0].name} fails" if failing else "the outputs fail"
    return f"{which} by the forecast: {', '.join(facts.unkeepable)} would have to be in float32"


def _facts(file: Path) -> ForecastFacts:
    try:
        report = RunReport.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(
            f"--precision-from: {file}: {error.strerror or error}", hint=_AGAIN
        ) from error
    except ValidationError as error:
        raise InputError(
            f"--precision-from: {file} is no report of a forecast", hint=_AGAIN
        ) from error
    found = [model.facts("forecast") for model in report.models]
    if len(found) != 1 or not isinstance(found[0], ForecastFacts):
        raise InputError(f"--precision-from: {file} is no report of a forecast", hint=_AGAIN)
    return found[0]


def _beside(report: Path, name: str) -> Path:
    """A file that the report names, which lies beside it."""
    file = (report.parent / Path(name).name).absolute()
    if not file.is_file():
        raise InputError(
            f"--precision-from: {file} is not there, and {report} asks for it", hint=_AGAIN
        )
    return file
