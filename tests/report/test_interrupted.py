"""An interrupted run: a model that was not finished is nowhere taken for one that passed."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from converter.cli.views import Views
from converter.engine.running import interrupted
from converter.model.baseline import Baseline
from converter.model.result import RunReport, StageResult, Status
from converter.model.run_manifest import manifest_of
from converter.model.task import ConvertOptions, Task
from converter.report.baseline import baseline_of, compare_baseline
from converter.report.html import render_html
from converter.report.json_file import read_json
from converter.report.junit import render_junit
from converter.report.markdown import render_markdown
from converter.report.summary import tally, verdict
from converter.report.terminal import render_table
from tests.report.report_builders import exported, failed, good, inspected, run

STAGES = ("inspect", "export", "simplify", "validate")


def stopped(name: str, *results: StageResult) -> RunReport:
    """A run of one good model and one that was stopped after ``results``."""
    task = Task(
        name=name,
        source=f"/models/{name}",
        stages=STAGES,
        work_dir="",
        destination="",
        report_root="",
        options=ConvertOptions(),
    )
    models = [
        model.model_copy(update={"options": ConvertOptions()})
        for model in (good("a"), interrupted(task, list(results)))
    ]
    return run(models, interrupted=True)


def shown(report: RunReport) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(render_table(report))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


DONE = tuple(inspected().model_copy(update={"stage": stage, "facts": None}) for stage in STAGES)


@pytest.mark.parametrize(
    ("results", "at"),
    [((), "inspect"), ((inspected(),), "export"), (DONE, "publish")],
    ids=["none", "some", "all but publishing"],
)
def test_a_model_that_was_not_finished_has_that_status(results, at: str, tmp_path: Path) -> None:
    report = stopped("m", *results)
    model = report.models[1]
    assert (model.status, model.exit_code()) == (Status.INTERRUPTED, 130)
    assert [s.stage for s in model.stages if s.status is Status.INTERRUPTED] == [at]
    manifest = manifest_of(report)
    assert manifest is not None
    assert [each.status for each in manifest.models] == [Status.OK, Status.INTERRUPTED]
    (tmp_path / "report.json").write_text(report.model_dump_json())
    assert read_json(tmp_path / "report.json") == report


def test_a_model_that_failed_before_it_was_stopped_has_failed() -> None:
    report = stopped("m", inspected(), failed("export", "no mapper", "leave it out"))
    assert report.models[1].status is Status.FAILED
    assert verdict(report).headline == "Interrupted, 1 of 2 models failed"


def test_every_view_says_that_it_was_not_finished() -> None:
    report = stopped("m", inspected())
    assert verdict(report).headline == "Interrupted, 1 of 2 models not finished"
    assert {mark.label for mark in tally(report)} == {"interrupted", "ok"}
    assert "✗ interrupted" in shown(report)
    assert "skipped in 1 model: not run" not in shown(report)
    assert "| ❌ m |" in render_markdown(report)
    assert "1 of 2 models not finished" in render_html(report)
    root = ET.fromstring(render_junit(report))
    (case,) = root.findall("testsuite/testcase[error]")
    assert (case.get("classname"), case.get("name")) == ("paddle2om.m", "export")


def test_nothing_of_it_run_is_not_run() -> None:
    report = stopped("m")
    assert verdict(report).headline == "Interrupted, 1 of 2 models not run"
    assert "✗ interrupted" not in shown(report)
    assert "– not run" in shown(report)
    for tag in ('class="label">', "</span>"):
        assert f"{tag}interrupted</span>" not in render_html(report)
    assert "❌ interrupted" not in render_markdown(report)


def test_the_terminal_says_how_to_go_on() -> None:
    hint = "hint: run the same command again; what is in the cache is not done again"
    assert shown(stopped("m", inspected())).rstrip().endswith(hint)
    assert hint not in shown(run([good("a")]))


def test_failed_and_not_finished_are_counted_apart() -> None:
    first, second = stopped("m", inspected()), stopped("n", failed("inspect", "no", "hint"))
    both = run([*first.models, second.models[1]], interrupted=True)
    assert verdict(both).headline == "Interrupted, 1 of 3 models failed, 1 not finished"


def test_a_model_that_was_not_finished_is_no_worse_than_its_baseline() -> None:
    report = stopped("m", inspected(), exported())
    before = Baseline(models={name: baseline_of(good(name)) for name in ("a", "m")})
    compared = compare_baseline(report, before, Path("bl.json"))
    assert (compared.compared, compared.changes) == (1, ())


def test_a_baseline_that_was_to_be_written_says_that_it_was_not(tmp_path, monkeypatch) -> None:
    """A tick beside "0 models compared" tells the opposite of what happened."""
    monkeypatch.chdir(tmp_path)
    file = Path("bl.json")
    wanted = Views.checked(None, None, file, update=True, prune=False)
    report = wanted.write_reports(stopped("m", inspected()), tmp_path)
    assert not file.exists()
    told = "not written: the run was interrupted"
    assert told in shown(report)
    assert "models compared" not in shown(report)
    assert told in render_markdown(report)
    assert told in render_junit(report)
    assert "was not written: the run was interrupted" in render_html(report)
