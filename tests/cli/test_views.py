"""The flags that compare a run with a baseline, and write it anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from converter.cli.show import end, print_failures
from converter.cli.views import Views
from converter.errors import InputError
from converter.model.result import RunReport
from converter.report.baseline import read_baseline
from converter.report.json_file import read_json
from tests.report.report_builders import failed, good, model, run


def flags(path: Path | None, *, update: bool, prune: bool = False, accept: bool = False) -> Views:
    return Views.checked(None, None, path, update, prune, accept=accept)


def test_the_report_tells_what_an_update_kept_and_what_it_dropped(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    flags(path, update=True).write_reports(run([good("a"), good("b")]), tmp_path)

    of_one = flags(path, update=True).write_reports(run([good("a")]), tmp_path)
    assert of_one.baseline is not None
    assert of_one.baseline.kept == ("b",)
    assert list(read_baseline(path).models) == ["a", "b"]

    pruned = flags(path, update=True, prune=True).write_reports(run([good("a")]), tmp_path)
    assert pruned.baseline is not None
    assert pruned.baseline.dropped == ("b",)
    assert list(read_baseline(path).models) == ["a"]


def test_failures_that_are_accepted_do_not_decide_the_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    report = run([model("m", failed("export", "no", "hint")), good("a")])
    assert flags(path, update=True).write_reports(report, tmp_path).exit_code == 1
    assert flags(path, update=False).write_reports(report, tmp_path).exit_code == 1

    accepted = flags(path, update=True, accept=True).write_reports(report, tmp_path)
    assert (accepted.exit_code, accepted.models[0].known_to_fail) == (0, True)
    later = flags(path, update=False).write_reports(report, tmp_path)
    assert later.exit_code == 0
    assert read_json(tmp_path / "report.json") == later
    again = flags(path, update=True).write_reports(report, tmp_path)
    assert again.exit_code == 0
    assert again.baseline is not None
    assert again.baseline.left_out == ()
    assert Views().write_reports(report, tmp_path).exit_code == 1


def test_what_is_known_is_no_error_with_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "baseline.json"
    report = run([model("m", failed("export", "no", "hint")), good("a")])
    print_failures(flags(path, update=True, accept=True).write_reports(report, tmp_path))
    assert capsys.readouterr().err == ""


def test_a_baseline_that_is_damaged_or_not_written_accepts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    report = run([model("m", failed("export", "no", "hint"))])
    flags(path, update=True, accept=True).write_reports(report, tmp_path)
    wanted = flags(path, update=True, accept=True)
    path.write_text(path.read_text().replace('"exit_code": 1', '"exit_code": "one"'))
    with pytest.raises(InputError, match="failures"):
        flags(path, update=False)
    late = wanted.write_reports(report, tmp_path)
    assert late.exit_code == 1
    assert [error.message for error in wanted.unwritten] != []
    path.unlink()
    with pytest.raises(InputError, match="there is no baseline"):
        flags(path, update=False)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"update": True}, "--update-baseline without"),
        ({"update": False, "prune": True}, "--prune-baseline without"),
        ({"update": False, "accept": True}, "--accept-failures without"),
    ],
)
def test_flags_that_would_write_nothing(asked: dict[str, bool], words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        flags(None, **asked)
    assert refused.value.hint


@pytest.mark.parametrize("view", ["junit", "markdown", "bom", "baseline"])
@pytest.mark.parametrize("place", ["", ".", "file/x"])
def test_a_file_that_cannot_be_written_is_told_before_the_run(
    view: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not an hour later, in place of what the run has to say."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    named: dict[str, Path | None] = dict.fromkeys(("junit", "markdown", "baseline", "bom"))
    named[view] = Path(place)
    update = view == "baseline"
    with pytest.raises(InputError, match=r"cannot write|no baseline") as refused:
        Views.checked(
            named["junit"], named["markdown"], named["baseline"], update, False, bom=named["bom"]
        )
    assert refused.value.hint


@pytest.mark.parametrize("place", ["new/dir/x", "file", "link", "nowhere", "/dev/null"])
def test_files_that_can_be_written_are_not_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("link").symlink_to("file")
    Path("nowhere").symlink_to("new")
    wanted = Views.checked(Path(place), None, None, False, False)
    wanted.write(run([good("a")]), tmp_path)
    assert wanted.unwritten == []
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("words", [("--json",), ("--markdown", "-")], ids=str)
def test_a_full_disk_behind_standard_output_keeps_the_code_of_the_run(
    words: tuple[str, ...], tiny_pir: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "converter.cli.main", "convert", tiny_pir, *words]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*command, "--atol", "0", "--rtol", "0", "-o", tmp_path / "out"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 3, ran.stderr
    assert "tiny_pir: validate" in ran.stderr
    assert "No space left" in ran.stderr


def test_a_report_that_could_not_be_written_is_not_pointed_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("")
    wanted = Views.checked(None, None, None, False, False)
    wanted.write_reports(run([good("a")]), out)
    assert wanted.lost == [out / "report.html"]


def test_what_cannot_be_written_after_the_run_hides_nothing(tmp_path: Path) -> None:
    junit, markdown, baseline = tmp_path / "j.xml", tmp_path / "s.md", tmp_path / "bl" / "bl.json"
    wanted = Views.checked(junit, markdown, baseline, True, False)
    junit.mkdir()
    baseline.parent.write_text("")
    report = wanted.write_reports(run([good("a")]), tmp_path)
    wanted.write(report, tmp_path)
    assert read_json(tmp_path / "report.json") == report
    assert markdown.is_file()
    assert [f"cannot write {path}" for path in (baseline, junit)] == [
        error.message.partition(":")[0] for error in wanted.unwritten
    ]
    assert report.baseline is not None
    assert report.baseline.unwritten.startswith(f"cannot write {baseline}")


def gate(code: int) -> RunReport:
    return run([model("m", failed("validate", "no", "hint", code=code))])


@pytest.mark.parametrize(("report", "code"), [(gate(3), 3), (run([good("a")]), 2)])
def test_a_run_has_its_own_exit_code_whatever_could_not_be_written(
    report: RunReport, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        end(report, [InputError("cannot write j.xml", hint="name another")])
    assert ended.value.exit_code == code
    assert "error: cannot write j.xml\nhint: name another\n" in capsys.readouterr().err
