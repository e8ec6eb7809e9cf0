"""The documentation names only what exists: commands, flags, defaults, codes, fields, files."""

from __future__ import annotations

import ast
import enum
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import converter
from converter import errors
from converter.atc.flags import all_flags
from converter.bridge.repair import program_repairs
from converter.cli.app import app
from converter.model import comparison, result

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])


def _commands(group: Any) -> dict[str, Any]:
    """Every command by name; those of a group as ``recipe check``."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = _commands(command) if hasattr(command, "commands") else None
        found |= {f"{name} {n}": c for n, c in inner.items()} if inner else {name: command}
    return found


COMMANDS: dict[str, Any] = _commands(typer.main.get_command(app))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_LOCAL_PATH = re.compile(
    r"(?<![\w.~/$-])/(?:work|tmp|home|root|Users|mnt|var)\b|file://|[A-Za-z]:\\Users"
)
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in _FENCE.findall(page.read_text("utf-8")) if kind == language]


def section(text: str, heading: str) -> str:
    """The text below ``heading``, to the next heading of its level or above."""
    level = heading.partition(" ")[0]
    below = text.partition(f"\n{heading}\n")[2]
    assert below, f"there is no section {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", below, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, headers left out."""
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def flags_of(command: Any) -> dict[str, Any]:
    """Every spelling of every flag, and its parameter."""
    return {
        flag: parameter
        for parameter in command.params
        if parameter.param_type_name == "option"
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def told_default(parameter: Any) -> str:
    """The default as docs/reference/cli.md words it."""
    if parameter.required:
        return "required"
    if parameter.is_flag:
        return "on" if parameter.default else "off"
    if parameter.default is None:
        return "not set"
    default = parameter.default
    return f"`{default.value if isinstance(default, enum.Enum) else default}`"


def problem_of(words: list[str]) -> str:
    """Why a command line, without ``paddle2om``, would not parse; "" when it would."""
    if words in (["--version"], ["--help"], ["-h"]):
        return ""
    depth = 2 if " ".join(words[:2]) in COMMANDS else 1
    name = " ".join(words[:depth])
    if not words or name not in COMMANDS:
        return "no such command"
    command = COMMANDS[name]
    flags = flags_of(command) | {"-h": None, "--help": None}
    given, arguments, rest = set(), 0, words[depth:]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            arguments += 1
            continue
        flag, equals, _ = word.partition("=")
        if flag not in flags:
            return f"no such flag: {flag}"
        given.add(flag)
        takes_value = flags[flag] is not None and not flags[flag].is_flag
        if takes_value and not equals:
            if not rest or rest[0].startswith("-"):
                return f"{flag} has no value"
            rest.pop(0)
    if given & {"-h", "--help"}:
        return ""
    wanted = [p for p in command.params if p.param_type_name == "argument"]
    least = sum(p.required for p in wanted)
    if arguments < least or (arguments > len(wanted) and all(p.nargs == 1 for p in wanted)):
        return f"{arguments} arguments"
    missing = [p for p in set(flags.values()) - {None} if p.required and not given & {*p.opts}]
    return f"{missing[0].opts[0]} is missing" if missing else ""


def commands_in(page: Path) -> list[str]:
    """What follows the prompts in a page's console blocks."""
    text = "\n".join(blocks(page, "console")).replace("\\\n", " ")
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


@every_page
def test_command_lines_parse(page: Path) -> None:
    for line in commands_in(page):
        words = shlex.split(line, comments=True)
        if words[0] != "paddle2om":
            continue
        cut = next((i for i, word in enumerate(words) if word in {">", "2>", "|", "&&"}), None)
        assert problem_of(words[1:cut]) == "", line


def test_there_are_command_lines() -> None:
    lines = [line for page in PAGES for line in commands_in(page)]
    seen = {shlex.split(line)[1] for line in lines if line.startswith("paddle2om ")}
    assert seen >= {"convert", "render", "inspect"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("frob", "no such command"),
        ("convert", "0 arguments"),
        ("convert a b --opset 11 -o out", ""),
        ("convert a --opzet 11", "no such flag: --opzet"),
        ("convert a --opset", "--opset has no value"),
        ("convert a --opset --strict", "--opset has no value"),
        ("inspect a b", "2 arguments"),
        ("render OCR", "--models is missing"),
        ("render OCR --models=zoo", ""),
        ("render --help", ""),
    ],
)
def test_wrong_command_lines_are_noticed(line: str, problem: str) -> None:
    assert problem_of(line.split()) == problem


@pytest.mark.parametrize("name", COMMANDS)
def test_cli_reference_is_complete(name: str) -> None:
    text = (DOCS / "reference/cli.md").read_text("utf-8")
    told = {
        flag: row[1]
        for row in rows(section(text, f"## `paddle2om {name}`"))
        for flag in ticked(row[0])
    }
    assert told == {flag: told_default(p) for flag, p in flags_of(COMMANDS[name]).items()}


def test_cli_reference_has_no_other_command() -> None:
    text = (DOCS / "reference/cli.md").read_text("utf-8")
    assert set(re.findall(r"^## `paddle2om ([\w ]+)`$", text, re.MULTILINE)) == set(COMMANDS)


@every_page
def test_flags_in_prose_exist(page: Path) -> None:
    known = {flag for command in COMMANDS.values() for flag in flags_of(command)}
    known |= {"--help", "--version", *(f"--{name}" for name in all_flags())}  # the last are atc's
    text = _FENCE.sub("", page.read_text("utf-8"))
    prose = [span for span in ticked(text) if span.startswith("--")]
    assert {re.split(r"[ =]", span)[0] for span in prose} <= known


def test_exit_codes_are_those_of_errors() -> None:
    classes = [errors.Paddle2omError]
    for error in classes:
        classes.extend(error.__subclasses__())
    expected = {error.__name__: error.exit_code for error in classes[1:]}
    text = (DOCS / "reference/exit-codes.md").read_text("utf-8")
    table = rows(text.partition("\n## ")[0])
    assert {int(row[0]) for row in table} == {0, *expected.values()} == set(errors.SEVERITY)
    assert {ticked(row[1])[0]: int(row[0]) for row in table if row[0] != "0"} == expected
    assert ", ".join(map(str, errors.SEVERITY)) in text


@pytest.mark.parametrize(
    "record",
    [
        result.RunReport,
        result.ModelReport,
        result.StageResult,
        result.PipelineReport,
        *get_args(get_args(result.StageFacts)[0]),
    ],
    ids=lambda record: record.__name__,
)
def test_report_fields_are_those_of_the_records(record: type[result.Record]) -> None:
    text = (DOCS / "reference/report-json.md").read_text("utf-8")
    tables = section(text, f"## {record.__name__}").partition("\n| Status")[0]
    told = {name for row in rows(tables) for name in ticked(row[0])}
    if record is comparison.ValidateFacts:
        told -= set(comparison.OutputComparison.model_fields) - set(record.model_fields)
    assert told == set(record.model_fields) - {"kind"}


@pytest.mark.parametrize(
    "record",
    [comparison.OutputComparison, comparison.CaseComparison, result.Artefact, result.Message],
    ids=lambda record: record.__name__,
)
def test_report_fields_of_parts_are_named(record: type[result.Record]) -> None:
    text = (DOCS / "reference/report-json.md").read_text("utf-8")
    written = {name for name, field in record.model_fields.items() if not field.exclude}
    assert written <= set(ticked(text))


def test_statuses_are_those_of_the_result() -> None:
    text = section((DOCS / "reference/report-json.md").read_text("utf-8"), "## StageResult")
    table = "| Status" + text.partition("\n| Status")[2]
    assert [ticked(row[0])[0] for row in rows(table)] == [status.value for status in result.Status]


def test_repairs_are_those_of_the_bridge() -> None:
    text = (DOCS / "reference/repairs.md").read_text("utf-8")
    headings = re.findall(r"^## ([a-z-]+)$", text, re.MULTILINE)
    assert headings == [repair.name for repair in program_repairs()]


def test_repaired_attributes_are_those_of_the_table() -> None:
    from converter.bridge.double_attributes import DOUBLE_SINCE_3_3

    text = section(
        (DOCS / "reference/repairs.md").read_text("utf-8"),
        "## double-attributes",
    )
    told = {
        f"pd_op.{operator}": frozenset(ticked(row[1]))
        for row in rows(text)
        for operator in ticked(row[0])
    }
    assert told == DOUBLE_SINCE_3_3


@every_page
def test_links_resolve(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / link).resolve() for link in _LINK.findall(index.read_text("utf-8"))}
    assert set(DOCS.rglob("*.md")) - {index} <= linked


@every_page
def test_no_local_paths(page: Path) -> None:
    found = _LOCAL_PATH.search(page.read_text("utf-8"))
    assert found is None, found


def test_local_paths_are_noticed() -> None:
    assert all(map(_LOCAL_PATH.search, ("see /home/me/x", "`/tmp/x`", "out: /root/.cache")))
    assert not any(map(_LOCAL_PATH.search, ("/usr/local/Ascend", "build/tmp/x", "~/.cache/x")))


@every_page
def test_python_examples_import_what_exists(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "converter":
                assert {alias.name for alias in node.names} <= set(converter.__all__)


@every_page
def test_tests_that_are_named_exist(page: Path) -> None:
    for file, function in _TEST.findall(page.read_text("utf-8")):
        path = ROOT / file
        assert path.is_file(), file
        if function:
            assert f"def {function}(" in path.read_text("utf-8"), function


def test_om_fields_are_those_of_the_records() -> None:
    from converter.model.om_file import OmFile

    text = section((DOCS / "reference/om-files.md").read_text("utf-8"), "## JSON")
    assert {name for row in rows(text) for name in ticked(row[0])} == set(OmFile.model_fields)


def test_om_numbers_are_those_of_the_reader() -> None:
    from converter.model.om_partitions import PARTITION_TYPES
    from converter.model.om_types import GE_DTYPES, PROTO_DTYPES

    text = (DOCS / "reference/om-files.md").read_text("utf-8")
    types = [row for row in rows(section(text, "## Partitions")) if len(row) == 4]
    told = {int(row[at]): row[at + 1] for row in types for at in (0, 2)}
    assert told == PARTITION_TYPES
    below = section(text, "## Inputs and outputs").partition("\n| Element type |")
    dtypes = rows("".join(below[1:]))
    for column, table in ((1, GE_DTYPES), (2, PROTO_DTYPES)):
        assert {int(row[column]): row[0] for row in dtypes if row[column]} == table


def test_traps_are_those_of_the_table() -> None:
    from converter.paddlex import tables

    text = (DOCS / "reference/paddlex-traps.md").read_text("utf-8").partition("\n## ")[0]
    told = {ticked(row[0])[0]: tuple(row[1:]) for row in rows(text)}
    words = {name: tables.trap(name) for name in tables.trap_ids()}
    assert told == {n: (w["message"], w["fix"], w["known"]) for n, w in words.items()}


def test_render_report_fields_are_those_of_the_records() -> None:
    from converter.paddlex.check import CheckedPage, CheckReport, ModuleCheck
    from converter.paddlex.check_seen import Problem
    from converter.paddlex.rehearsal import Rehearsal
    from converter.paddlex.rehearsal_lines import LineChange
    from converter.paddlex.rehearsal_trials import Trial
    from converter.paddlex.report import EditReport, ModuleReport, RenderReport
    from converter.paddlex.traps import TrapWarning

    rendered = (RenderReport, ModuleReport, EditReport, TrapWarning)
    checked = (CheckReport, ModuleCheck, Problem, CheckedPage, Rehearsal, Trial, LineChange)
    text = (DOCS / "reference/report-json.md").read_text("utf-8")
    for record in (*rendered, *checked):
        table = section(text, f"## {record.__name__}")
        told = {name for row in rows(table) for name in ticked(row[0])}
        assert told == set(record.model_fields), record.__name__
