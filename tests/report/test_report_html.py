from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from converter.cli.app import app
from converter.model.artefacts import MANIFEST
from converter.model.names import REPORT_FILES
from converter.model.result import Message, ModelReport, PipelineReport, RunReport, Status
from converter.report.html import render_html
from converter.report.run_files import write_reports
from converter.report.summary import model_mark, stage_mark, verdict
from tests.report.report_builders import (
    all_ok,
    empty,
    exported,
    failed,
    good,
    mixed,
    model,
    output,
    run,
    skipped,
    validated,
    validation,
    write_json,
    zoo,
)

VOID = {"meta", "link", "br", "img", "input", "hr", "wbr", "col"}

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


def write_html(report: RunReport, path: Path) -> None:
    """The page as it is written into an output directory."""
    path.write_text(render_html(report, image_roots=(path.parent,), files="."), encoding="utf-8")


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    data: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, **wanted: str) -> list[Element]:
        """Descendants with a tag and attributes, in document order."""
        found = []
        for child in self.children:
            if child.tag == tag and wanted.items() <= child.attributes.items():
                found.append(child)
            found += child.all(tag, **wanted)
        return found

    def words(self) -> str:
        return " ".join("".join(self.data).split())


class Page(HTMLParser):
    """A tree that insists on every element being closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert self.open == [self.root], f"not closed: {[e.tag for e in self.open[1:]]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1].tag not in ("script", "style"):
            for element in self.open:
                element.data.append(data)


def failed_first(report: RunReport) -> list[ModelReport]:
    """The models in the order of the page."""
    return sorted(report.models, key=lambda one: one.failure is None)


@pytest.fixture
def page(report: RunReport) -> Element:
    return Page(render_html(report)).root


def test_every_model_stage_and_status_is_in_the_matrix(report: RunReport, page: Element) -> None:
    rows = [row for table in page.all("table", id="matrix") for row in table.all("tr")[1:]]
    assert len(rows) == len(report.models)
    for one, row in zip(failed_first(report), rows, strict=True):
        assert row.all("th")[0].all("a")[0].words() == " ".join(one.name.split())
        cells = {cell.attributes["data-label"]: cell.words() for cell in row.all("td")}
        assert model_mark(one).label in cells["result"]
        for stage in one.stages:
            assert stage_mark(stage).label in cells[stage.stage]
        reached = {stage.stage for stage in one.stages} | {"result", "time", "peak memory"}
        assert all(cells[name] == "not run" for name in cells.keys() - reached)


def test_every_model_has_a_section_that_its_row_leads_to(report: RunReport, page: Element) -> None:
    ids = [
        e.attributes["id"]
        for tag in ("section", "h2", "table")
        for e in page.all(tag)
        if "id" in e.attributes
    ]
    assert len(ids) == len(set(ids))
    links = [link.attributes["href"] for link in page.all("a")]
    numbers = {one.name: number for number, one in enumerate(report.models, start=1)}
    assert links == [f"#model-{numbers[one.name]}" for one in failed_first(report)]
    assert {str(link)[1:] for link in links} <= set(ids)


def test_a_section_says_everything(page: Element, report: RunReport) -> None:
    for index, one in enumerate(report.models, start=1):
        (section,) = page.all("section", id=f"model-{index}")
        for wanted in _everything(one):
            assert " ".join(wanted.split()) in section.words()


def _everything(one: ModelReport) -> list[str]:
    wanted = [one.source, one.log or ""]
    for stage in one.stages:
        wanted += [stage.stage, stage.status]
        for message in stage.messages:
            wanted += [message.text, message.hint]
        for file in stage.artefacts:
            wanted += [file.path, file.sha256, f"{file.bytes:,}"]
        if stage.error:
            wanted += [stage.error.message.replace("\x1b", "\\x1b"), stage.error.hint]
    return [text for text in wanted if text not in (Status.OK, Status.CACHED)]


def matrix_rows(report: RunReport) -> list[Element]:
    (matrix,) = Page(render_html(report)).root.all("table", id="matrix")
    return matrix.all("tr")[1:]


def test_the_row_of_a_failed_model_says_why_and_where() -> None:
    report = run([good("fine"), model("torn", failed("export", "no form for\nnms", "h"))])
    first, second = matrix_rows(report)
    assert first.all("th")[0].words() == "torn export: no form for nms"
    assert second.all("th")[0].words() == "fine"
    gate = (
        "the ONNX model does not agree with Paddle: 5 of 5 cases failed; case 'wide x=2x3x192x128 "
        "seed 2': output 'softmax_0.tmp_0': max_abs 4.65e-06 in column 0 exceeds 1e-06"
    )
    (row,) = matrix_rows(run([model("off", failed("validate", gate, "h", code=3))]))
    assert row.all("th")[0].words().endswith("exceeds 1e-06")


def test_cells_have_the_numbers_that_they_are_sorted_by() -> None:
    nan = validation(validated(output(max_abs=float("nan"))))
    rows = matrix_rows(run([good("a"), model("b", nan), model("c", skipped("validate", "none"))]))
    cells = [row.all("td", **{"data-label": "validate"})[0] for row in rows]
    values = [cell.attributes.get("data-value") for cell in cells]
    assert values == ["9.5367431640625e-06", "Infinity", None]
    (nodes,) = rows[0].all("td", **{"data-label": "simplify"})
    assert nodes.attributes["data-value"] == "949.0"


def test_a_cached_model_that_warned_can_be_filtered_for() -> None:
    warning = Message(level="warning", text="one width only")
    of_old = [each.model_copy(update={"cached": True}) for each in good("a").stages]
    warned = [*of_old[:3], of_old[3].model_copy(update={"messages": (warning,)}), of_old[4]]
    report = run([model("warned", *warned), model("fine", *of_old)])
    assert [row.attributes["data-status"] for row in matrix_rows(report)] == ["warning", "cached"]
    assert verdict(report).headline == "2 models passed, 1 with warnings"
    assert "<option>warning</option>" in render_html(report)


def test_logs_and_artefacts_are_links_from_a_page_in_the_output_directory(tmp_path: Path) -> None:
    report = run([model("a", exported(), log="logs/a b%#?.log"), model("c", log="javascript:x()")])
    write_html(report, tmp_path / "report.html")
    root = Page((tmp_path / "report.html").read_text(encoding="utf-8")).root
    hrefs = {link.words(): link.attributes["href"] for link in root.all("a")}
    assert hrefs["logs/a b%#?.log"] == "logs/a%20b%25%23%3F.log"
    assert hrefs["rec/inference.onnx"] == "rec/inference.onnx"
    assert hrefs["javascript:x()"] == "javascript%3Ax%28%29"


def test_a_page_written_elsewhere_links_to_the_run(tmp_path: Path) -> None:
    write_json(run([model("a", exported(), log="logs/a.log")]), tmp_path / "out" / "report.json")
    page = tmp_path / "pages" / "a.html"
    for args, wanted in ((["-o", str(page)], "../out/logs/a.log"), ([], None)):
        ran = CliRunner().invoke(app, ["report", "write", str(tmp_path / "out"), "html", *args])
        assert ran.exit_code == 0
        text = page.read_text(encoding="utf-8") if args else ran.stdout
        links = [link for link in Page(text).root.all("a") if link.words() == "logs/a.log"]
        assert [link.attributes["href"] for link in links] == ([wanted] if wanted else [])


def test_validation_shows_every_metric_of_every_case() -> None:
    page = Page(render_html(mixed())).root
    (far,) = page.all("section", id="model-3")
    (table,) = far.all("table", **{"class": "metrics"})
    words = table.words()
    assert "text line x [1, 3, 48, 320], seed 0" in words
    assert "uniform noise" in words
    row = "✗fail 0.031 – inf 0.031 0.0042 0.99991 – 97.5% 0.031 0 / 0 0 / 2"
    assert words.count(f"softmax_0.tmp_0 float32 [1, 40, 18385], 735,400 elements {row}") == 2
    assert "max abs ≤ 0.0001 + 0.001 × max |reference| and cosine ≥ 0.9999" in far.words()
    assert "All outputs would pass with atol 0.031." in far.words()
    (nan,) = page.all("section", id="model-6")
    assert "✗fail NaN – NaN NaN NaN NaN – – none would 0 / 735,400 0 / 0" in nan.words()
    assert "No atol alone would let every output pass." in nan.words()


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    text = render_html(mixed())
    assert "<script>alert" not in text
    assert "<b>FLIGHT" not in text
    assert "\x1b" not in text
    page = Page(text).root
    assert len(page.all("script")) == 1
    assert "表格 结构 <script>alert('x')</script> [bold]" in page.words()


def test_needs_nothing_from_outside(report: RunReport, page: Element) -> None:
    text = render_html(report)
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"^\s*//.*$", "", text, flags=re.M))
    assert "@import" not in text
    assert "url(" not in text
    assert not page.all("link")
    for tag in ("img", "script", "iframe", "a"):
        for element in page.all(tag):
            source = element.attributes.get("src") or element.attributes.get("href") or "#"
            assert source.startswith(("data:image/", "#"))


def test_is_accessible(page: Element) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    for table in page.all("table"):
        assert len(table.all("caption")) == 1
        assert all(cell.attributes.get("scope") for cell in table.all("th"))
    assert all(image.attributes.get("alt") for image in page.all("img"))
    for sign in page.all("span", **{"class": "sign"}):
        assert sign.attributes["aria-hidden"] == "true"


def test_failed_models_are_open_and_the_others_closed() -> None:
    report = mixed()
    opened = ["open" in each.attributes for each in Page(render_html(report)).root.all("details")]
    assert opened == [one.failure is not None for one in failed_first(report)]
    assert "open" in Page(render_html(run([good("one")]))).root.all("details")[0].attributes


def test_the_verdict_is_the_heading() -> None:
    headings = {
        "3 models passed": all_ok(),
        "5 of 8 models failed, 1 pipeline failed, 1 pipeline read other text than Paddle": mixed(),
        "6 of 60 models failed": zoo(),
        "Nothing was converted": empty(),
        "1 model not run": run([model("m")]),
    }
    for headline, report in headings.items():
        assert headline in Page(render_html(report)).root.all("h1")[0].words()


def test_texts_are_paired_with_those_of_paddle() -> None:
    page = Page(render_html(mixed())).root
    (table,) = [t for t in page.all("table") if "Recognised text" in t.words()]
    rows = [[cell.words() for cell in row.all("td")] for row in table.all("tr")[1:]]
    assert rows == [
        ["0.710", "登机脾", "登机牌", "!no"],
        ["0.995", "BOARDING PASS", "BOARDING PASS", "✓yes"],
        ["0.970", "<b>FLIGHT</b>", "<b>FLIGHT</b>", "✓yes"],
        ["–", "not read", "日期", "!no"],
    ]


def _pipeline(image: str) -> RunReport:
    pipeline = PipelineReport(
        name="OCR", config="OCR.yaml", backend="onnx", modules={}, image=image
    )
    return run([], pipelines=(pipeline,))


def test_the_image_is_embedded_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(PNG)
    write_html(_pipeline("page.jpg"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Page(text).root.all("img")[0].attributes["src"].startswith("data:image/png;base64,iVBOR")  # type: ignore[union-attr]


@pytest.mark.parametrize("image", ["missing.png", "drawing.svg", "", "a\x00b", "."])
def test_an_image_that_cannot_be_embedded_is_named(image: str, tmp_path: Path) -> None:
    (tmp_path / "drawing.svg").write_text("<svg/>")
    write_html(_pipeline(image), tmp_path / "report.html")
    root = Page((tmp_path / "report.html").read_text(encoding="utf-8")).root
    assert not root.all("img")
    assert ("not embedded" in root.words()) is bool(image)


def test_an_image_elsewhere_is_not_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of that name in the current directory is not the one that the report is about."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    for directory in (elsewhere, out):
        directory.mkdir()
    (elsewhere / "page.png").write_bytes(PNG)
    monkeypatch.chdir(elsewhere)
    for image in ("page.png", "../elsewhere/page.png", str(elsewhere / "page.png")):
        write_html(_pipeline(image).model_copy(update={"out_dir": str(out)}), out / "report.html")
        assert not Page((out / "report.html").read_text(encoding="utf-8")).root.all("img")


def test_writes_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "报告 1" / "report.html"
    write_reports(all_ok(), path.parent)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert {each.name for each in path.parent.iterdir()} == {*REPORT_FILES, MANIFEST}
