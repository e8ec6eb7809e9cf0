from __future__ import annotations

import pytest

from converter.report import format as fmt

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9.5367431640625e-06, "9.5e-06"),
        (0.0, "0"),
        (-0.0, "0"),
        (NAN, "NaN"),
        (INF, "inf"),
        (-INF, "-inf"),
        (0.031249, "0.031"),
        (0.00099999, "0.0010"),
        (1.0, "1.0"),
        (9999.0, "1.0e+04"),
        (-2.5e-7, "-2.5e-07"),
        (5e-324, "4.9e-324"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize("value", [1.04e-4, 0.0302001, 3.000001, 1e-5, 0.999, 123456.0, 7e-9])
def test_the_tolerance_that_is_printed_is_one_that_passes(value: float) -> None:
    assert value <= float(fmt.at_least(value)) <= value * 1.11


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.0001, "1 ms"),
        (0.031, "31 ms"),
        (0.0997, "0.10 s"),
        (0.42, "0.42 s"),
        (0.996, "1.0 s"),
        (4.16, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m 00s"),
        (125, "2m 05s"),
        (3720, "1h 02m"),
        (NAN, "NaN"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert fmt.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (4_712_345, "4.7 MB"),
        (99_960_000, "100 MB"),
        (999_949_999, "1.0 GB"),
        (3_000_000_000_000_000, "3000 TB"),
    ],
)
def test_size(value: int, text: str) -> None:
    assert fmt.size(value) == text


def test_cosine_keeps_the_digits_that_tell() -> None:
    assert [fmt.cosine(v) for v in (1.0, 0.9999, 0.99999999, NAN)] == [
        "1",
        "0.9999",
        "0.99999999",
        "NaN",
    ]


def test_only_the_whole_is_a_hundred_percent() -> None:
    assert [fmt.percent(v) for v in (1.0, 0.9999999, 0.975, 0.0)] == [
        "100%",
        "99.99%",
        "97.5%",
        "0%",
    ]


def test_control_and_bidi_characters_are_shown_not_obeyed() -> None:
    assert fmt.printable("a\x1b[31mb\u202ec\x00\r\nd") == "a\\x1b[31mb\\u202ec\\x00\nd"


def test_a_long_message_is_cut_to_one_line() -> None:
    line = fmt.one_line("x" * 30 + "\n  " + "y" * 1000, limit=50)
    assert len(line) == 50
    assert line.endswith("y…")


def test_text_that_an_encoding_cannot_write() -> None:
    assert fmt.encodable("949→443 ✓ 表", "ascii") == "949->443 \\u2713 \\u8868"
    assert fmt.encodable("949→443 表", "gbk") == "949→443 表"


def test_command_block_quotes_for_the_shell() -> None:
    block = fmt.command_block(["atc", "--dynamic_dims=160;320", "--model=my model.onnx"])
    assert block == "atc \\\n    '--dynamic_dims=160;320' \\\n    '--model=my model.onnx'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2025-11-03T14:02:11.123456+00:00", "2025-11-03 14:02:11 UTC"),
        ("2025-11-03T14:02:11+08:00", "2025-11-03 14:02:11 +0800"),
        ("2025-11-03T14:02:11", "2025-11-03 14:02:11"),
        ("yesterday", "yesterday"),
    ],
)
def test_timestamp(text: str, shown: str) -> None:
    assert fmt.timestamp(text) == shown
