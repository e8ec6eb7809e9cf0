"""The command lines on a model's page: they parse, and mean the options that the model had."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from converter.cli.app import app
from converter.model.compile_options import CompileOptions, PrecisionForecast
from converter.model.task import ConvertOptions
from converter.model.tolerance import ToleranceOverride
from converter.report.commands import (
    command_text,
    convert_words,
    reproduce_words,
    reproducible,
)
from converter.report.html import render_html
from tests.report import report_builders as build

PLAIN = ConvertOptions()
EVERYTHING = ConvertOptions(
    opset=13,
    simplify=False,
    rename={"fetch_name_0": "logits"},
    compile=CompileOptions(
        soc="Ascend310P3",
        shapes={"x": (1, 3, 48, 320), "y:0": (1,)},
        profiles=({"x": (1, 3, 48, 320)}, {"x": (1, 3, 48, 640), "y:0": (2,)}),
        profile_flag="dynamic_dims",
        precision="origin",
        keep_dtype="/conf/keep dtype.cfg",
        customize_dtypes="/conf/c.cfg",
        modify_mixlist="/conf/m.json",
        op_precision_mode="/conf/o.ini",
        aipp="rgb",
        flags={"log": "info"},
        cann="8.1",
        target="any",
        on="ssh:npu-host",
    ),
    atol=1e-05,
    rtol=0.0,
    tolerances={"soft*": ToleranceOverride(atol=0.1, rtol=0.0), "y": ToleranceOverride(atol=1e-4)},
    seed=7,
    sweep=True,
    data=("/data/page one.npz",),
    min_agreement=0.99,
    timeout=60.5,
    memory=4 << 30,
)

#: As it is when a forecast was read: the fields that it decides are filled in.
FORECAST = CompileOptions(soc="Ascend310P3", precision_from="/forecast")
FOLLOWED = FORECAST.model_copy(
    update={
        "precision": "origin",
        "keep_dtype": "/forecast/keep.cfg",
        "forecast": PrecisionForecast(acceptable=True, reason="r"),
        "forecast_of": "1" * 64,
    }
)


@pytest.fixture
def parsed(monkeypatch):
    """Returns a function that gives what ``convert`` would be called with for a command line."""
    seen: dict[str, Any] = {}

    class Done(Exception):
        pass

    def run_conversion(sources, out, options, **_):
        seen.update(sources=sources, out=out, options=options)
        raise Done

    class NoHost:
        def close(self, **_):
            pass

    monkeypatch.setattr("converter.engine.launch.Host", NoHost)
    monkeypatch.setattr("converter.engine.convert.run_conversion", run_conversion)

    def parse(words: list[str]) -> dict[str, Any]:
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, Done), result.output
        return seen

    return parse


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_convert_gets_the_options_that_the_model_had(parsed, options):
    model = build.good("m").model_copy(update={"source": "/zoo/the model", "options": options})

    lines = convert_words(model)
    seen = parsed([word for line in lines for word in line][1:])

    assert seen["options"] == options
    assert [str(source) for source in seen["sources"]] == ["/zoo/the model"]


def test_a_forecast_is_followed_again_and_not_its_outcome(parsed):
    options = ConvertOptions(compile=FOLLOWED)
    model = build.good("m").model_copy(update={"options": options})

    seen = parsed([word for line in convert_words(model) for word in line][1:])

    assert seen["options"].compile == FORECAST


def test_no_option_can_be_forgotten():
    """Each field of ``EVERYTHING`` says something, so that a new option fails the test above."""
    left = {"threads"}  # the machine's
    assert {
        n for n in ConvertOptions.model_fields if getattr(EVERYTHING, n) == getattr(PLAIN, n)
    } == left
    compiled, default = EVERYTHING.compile, CompileOptions()
    # Only recipes have a limit on atc's own time; the test of a forecast has the others.
    assert {
        n for n in CompileOptions.model_fields if getattr(compiled, n) == getattr(default, n)
    } == {"timeout", "precision_from", "forecast", "forecast_of"}


def test_commands_are_for_a_shell_and_only_where_options_are_known():
    model = build.good("m").model_copy(update={"options": PLAIN, "source": "/zoo/the model"})
    report = build.run([model])

    assert command_text(convert_words(model)) == (
        "paddle2om convert '/zoo/the model' \\\n    -o m \\\n    --opset 11"
    )
    assert command_text(reproduce_words(report, model)) == "paddle2om reproduce out --model m"
    assert convert_words(build.good("m")) == []
    assert reproducible(report)
    assert not reproducible(build.run([model, build.good("other")]))
    assert "Make it again" in render_html(report)
    assert "Make it again" not in render_html(build.run([build.good("m")]))
