"""No text behind an option is a bug: it is read, or it is refused with a hint."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from converter.atc.flags import version_key
from converter.atc.from_options import parse_flags
from converter.atc.runners.place import absolute_place
from converter.atc.soc_detect import resolve_soc
from converter.cli.app import app
from converter.cli.cache import parse_age
from converter.cli.compile_flags import parse_profiles, parse_shapes
from converter.cli.convert import parse_renames
from converter.cli.seconds import seconds
from converter.engine.cache.store import Cache
from converter.engine.shards import parse_shard
from converter.errors import InputError
from converter.model.memory import parse_bytes
from converter.model.tolerance import parse_tolerances
from converter.paddlex.targets import parse_device, parse_version
from tests.command import COMMAND

ROOT = Path(__file__).parents[2]
DIGITS = "9" * 5000

PARSERS: dict[str, Callable[[str], object]] = {
    "--shard": parse_shard,
    "--memory": parse_bytes,
    "--timeout": seconds,
    "--max-age": parse_age,
    "--shape": lambda text: parse_shapes([text]),
    "--profile": lambda text: parse_profiles([text]),
    "--rename": lambda text: parse_renames([text]),
    "--tolerance": lambda text: parse_tolerances([text]),
    "--atc-flag": lambda text: parse_flags([text]),
    "--on": absolute_place,
    "--soc": lambda text: text == "auto" or resolve_soc(text),
    "--cann": version_key,
    "--paddlex": parse_version,
    "--device": parse_device,
}


@pytest.mark.parametrize("option", PARSERS)
@settings(max_examples=100, deadline=None)
@given(
    text=st.text(max_size=12)
    | st.from_regex(r"[a-z]{0,5}[:=/.~]?[\d²٤]{0,6}[GKdhK]?[,;/.=]?[\d²]{0,30}", fullmatch=True)
)
def test_any_text(option: str, text: str) -> None:
    try:
        PARSERS[option](text)
    except InputError as error:
        assert error.hint


@pytest.mark.parametrize("option", PARSERS)
@pytest.mark.parametrize(
    "form", ["{}", "1/{}", "{0}/{0}", "{}G", "{}d", "x={}", "y:atol={}", "8.{}", "npu:{}", "ssh:{}"]
)
def test_very_long_numbers(option: str, form: str) -> None:
    try:
        PARSERS[option](form.format(DIGITS))
    except InputError as error:
        assert error.hint


@pytest.mark.parametrize("text", ["٤G", "4\u212a", "²", "1" * 400, "9" * 20])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(InputError, match="no amount"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cache", "gc", "--max-size", ""], "'' is no size"),
        (["cache", "gc", "--max-size", "-1"], "'-1' is no size"),
        (["cache", "gc", "--max-age", ""], "'' is no age"),
        (["build", "recipe.yaml", "--total-memory", ""], "'' is no amount of memory"),
        (["convert", "model", "--memory", ""], "'' is no amount of memory"),
    ],
)
def test_an_empty_amount_is_no_amount(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Cache.open(tmp_path / "results")
    ended = CliRunner().invoke(app, words, env={"PADDLE2OM_CACHE": str(tmp_path)})
    assert isinstance(ended.exception, InputError)
    assert ended.exception.message == told
    assert ended.exception.hint


def test_a_cache_may_be_emptied(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path / "results")
    cache.entries.write_bytes("0" * 64, b"kept")
    ended = CliRunner().invoke(
        app, ["cache", "gc", "--max-size", "0"], env={"PADDLE2OM_CACHE": str(tmp_path)}
    )
    assert ended.exit_code == 0
    assert cache.entries.keys() == []


@pytest.mark.parametrize("text", [f"1/{DIGITS}", f"1/{'9' * 12}", "1/²", "٤/٤"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(InputError, match="not a part"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["x=٤", "x=1_0", "x=1,", f"x={DIGITS}"])
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(InputError, match="is not NAME=N,C,H,W"):
        parse_shapes([text])


@pytest.mark.parametrize("option", ["--rename", "--tolerance"])
def test_an_argument_that_is_not_utf8(tiny_pir: Path, tmp_path: Path, option: str) -> None:
    odd = {"--rename": b"\xff=y", "--tolerance": b"\xff:atol=1"}[option]
    command = [*COMMAND, "convert", str(tiny_pir), option]
    ended = subprocess.run(
        [*map(os.fsencode, command), odd, b"-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    first, hint = ended.stderr.splitlines()[-2:]
    assert first.startswith("error: ")
    assert first.endswith("is not UTF-8 text")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("address", ["local:²", "local:0", "local:-1", f"local:{DIGITS}", "", "x"])
def test_what_is_no_scheduler(address: str) -> None:
    pytest.importorskip("distributed")
    from converter.engine.dask_executor import cluster

    with pytest.raises(InputError, match="no scheduler"), cluster(address):
        pass
