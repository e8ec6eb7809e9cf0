"""The HTML report in a real browser: filter, sort, search, links, with 60 models and with 1,000."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from converter.model.result import ModelReport, RunReport, Status
from converter.model.task import ConvertOptions
from converter.report.html import render_html
from tests.report import report_builders as build

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="no Chromium (chromium, google-chrome) in PATH"),
]

#: Runs in the page after its own script; ``probe`` is what the test finds out.
PROBE = """
<script>
addEventListener("load", async () => {
  const byId = (id) => document.getElementById(id);
  const rows = () => [...document.querySelectorAll("#matrix tr[data-name]")];
  const seen = (element) => element.getClientRects().length > 0;
  const names = () => rows().filter(seen).map((row) => row.dataset.name);
  const heads = () => [...document.querySelectorAll("#matrix .group")].filter(seen)
    .map((head) => head.textContent.trim().split(" ")[0]);
  const pages = () => document.querySelectorAll("section.model:not([hidden])").length;
  const set = (id, value) => {
    byId(id).value = value;
    byId(id).dispatchEvent(new Event("input"));
  };
  const press = (name) => [...document.querySelectorAll("#matrix thead button")]
    .find((button) => button.textContent.trim() === name).click();
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  const probe = {};
  try { BODY } catch (error) { probe.error = String(error); }
  const told = document.createElement("pre");
  told.id = "probe";
  told.textContent = JSON.stringify({ ...probe, errors: window.errors });
  document.body.append(told);
});
</script>
"""


def probe(report: RunReport, tmp_path: Path, body: str, width: int = 1400) -> dict:
    """What the script ``body`` puts on ``probe``, in a browser that shows ``report``."""
    page = render_html(report)
    catch = "<script>window.errors = []; onerror = (text) => { errors.push(text); };</script>"
    page = page.replace("<style>", f"{catch}<style>", 1)
    page = page.replace("</body>", PROBE.replace("BODY", body) + "</body>")
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    ran = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},1000",
            "--virtual-time-budget=20000",
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert found, f"the page's script did not end: {ran.stderr[-2000:]}"
    told = json.loads(html.unescape(found[1]))
    assert told["errors"] == []
    assert "error" not in told, told["error"]
    return told


def timed(model: ModelReport, seconds: float) -> ModelReport:
    """The model with all its time in the first stage."""
    stages = [stage.model_copy(update={"seconds": 0.0}) for stage in model.stages]
    stages[0] = stages[0].model_copy(update={"seconds": seconds})
    return model.model_copy(update={"stages": tuple(stages), "options": ConvertOptions()})


def fleet(count: int, variants: int = 5) -> RunReport:
    """``count`` rows: ``variants`` models in four variants each, the rest alone, 1 in 10 failed.

    Seconds are all different and not in the order of the names.
    """
    broken = build.failed("export", "operator pd_op.nms has no lowering", "ask for --opset 13")
    models = []
    for index in range(variants):
        for opset in (11, 13):
            for soc in ("Ascend310P3", "Ascend910B"):
                name = f"varied_{index}-opset{opset}-{soc}"
                variant = {"opset": str(opset), "soc": soc}
                models.append(
                    build.good(name).model_copy(
                        update={
                            "model": f"varied_{index}",
                            "source": f"models/varied_{index}",
                            "variant": variant,
                        }
                    )
                )
    for index in range(count - len(models)):
        name = f"zoo_{index:03d}"
        failed = build.model(name, build.inspected(), broken)
        models.append(failed if index % 10 == 7 else build.good(name))
    return build.run([timed(m, (i * 37) % 1009 + 1.0) for i, m in enumerate(models)])


SIXTY = """
probe.all = names();
set("filter", "ZOO_00");
probe.found = names();
probe.shown = byId("shown").textContent;
probe.heads = heads();
probe.pages = pages();
set("status", "failed");
probe.both = names();
set("filter", "");
probe.failed = names();
set("status", "");
set("filter", "opset 13");
probe.opset = names();
probe.headsOfOpset = heads();
set("filter", "no such model");
probe.none = names();
set("filter", "");
probe.again = names();
press("time");
probe.up = names();
probe.said = document.querySelector("#matrix [aria-sort]").getAttribute("aria-sort");
press("time");
probe.down = names();
press("model");
probe.byName = names();
probe.headFirst = [...document.querySelectorAll("#matrix .group")]
  .every((head) => head.parentElement.rows[0] === head);
const link = rows().find((row) => row.dataset.name === "zoo_003").querySelector("a");
const target = byId(link.hash.slice(1));
probe.closed = !target.querySelector("details").open;
link.click();
await later(500);
probe.open = target.querySelector("details").open;
probe.title = target.querySelector("h3").textContent;
probe.commands = [...target.querySelectorAll("pre code")].map((code) => code.textContent);
"""


@pytest.fixture(scope="module")
def sixty(tmp_path_factory) -> tuple[RunReport, dict]:
    report = fleet(60)
    return report, probe(report, tmp_path_factory.mktemp("sixty"), SIXTY)


def test_search_shows_what_fits_and_says_how_many(sixty):
    report, told = sixty

    failed_first = sorted(report.models, key=lambda model: model.failure is None)
    assert told["all"] == [model.name for model in failed_first]
    assert len(told["all"]) == 60
    assert sorted(told["found"]) == [f"zoo_00{digit}" for digit in range(10)]
    assert told["shown"] == "10 of 60"
    assert told["heads"] == []  # no head of variants that are all hidden
    assert told["pages"] == 10
    assert told["none"] == []
    assert told["again"] == told["all"]


def test_status_filters_alone_and_with_a_search(sixty):
    report, told = sixty

    failed = [model.name for model in report.models if model.failure]
    assert len(failed) == 4
    assert told["failed"] == failed
    assert told["both"] == ["zoo_007"]


def test_variants_are_found_by_what_varies(sixty):
    report, told = sixty

    wanted = [m.name for m in report.models if m.variant.get("opset") == "13"]
    assert told["opset"] == wanted
    assert told["headsOfOpset"] == [f"varied_{index}" for index in range(5)]


@pytest.mark.parametrize(("pressed", "sign"), [("up", 1), ("down", -1)])
def test_sorting_by_time_keeps_variants_together(sixty, pressed, sign):
    report, told = sixty
    seconds = {m.name: sign * sum(s.seconds for s in m.stages) for m in report.models}
    group_of = {m.name: m.model or m.name for m in report.models}
    members: dict[str, list[str]] = {}
    for name, group in group_of.items():
        members.setdefault(group, []).append(name)

    inside = {group: sorted(names, key=seconds.__getitem__) for group, names in members.items()}
    order = sorted(inside, key=lambda group: seconds[inside[group][0]])

    assert told[pressed] == [name for group in order for name in inside[group]]
    assert told["said"] == "ascending"
    assert told["headFirst"]


def test_sorting_by_name_goes_by_name(sixty):
    assert sixty[1]["byName"] == sorted(sixty[1]["all"])


def test_a_link_opens_a_model_with_its_commands(sixty):
    _, told = sixty

    assert told["closed"]
    assert told["open"]
    assert told["title"] == "zoo_003"
    convert, reproduce = told["commands"][-2:]
    assert convert.startswith("paddle2om convert models/zoo_003 \\\n")
    assert reproduce == "paddle2om reproduce out --model zoo_003"


def test_sorting_by_validate_goes_by_the_number(tmp_path):
    """What was not validated comes last, however it is sorted."""
    found = {"a": 9.5e-07, "b": 5.1e-05, "c": float("nan"), "d": 3.3e-04, "e": 0.0}
    models = [
        build.model(name, build.validation(build.validated(build.output(max_abs=value))))
        for name, value in found.items()
    ]
    models.insert(0, build.model("none", build.skipped("validate", "not asked for")))

    told = probe(
        build.run(models),
        tmp_path,
        'press("validate"); probe.up = names(); press("validate"); probe.down = names();',
    )

    assert told["up"] == ["e", "a", "b", "d", "c", "none"]
    assert told["down"] == ["c", "d", "b", "a", "e", "none"]


def test_the_table_of_a_cached_run_fits(tmp_path):
    old = [
        stage.model_copy(update={"cached": True, "status": Status.CACHED})
        for stage in build.good("a").stages
    ]
    names = ["activations.log_softmax", "PP-OCRv4_mobile_det", *map(str, range(6))]
    torn = build.model("torn", build.failed("export", "no form for an operator " * 20, "h"))

    told = probe(
        build.run([*(build.model(name, *old) for name in names), torn]),
        tmp_path,
        """
        const box = document.querySelector(".scroll");
        probe.over = box.scrollWidth - box.clientWidth;
        const seen = (row) => row.querySelector("th a").getClientRects().length;
        probe.lines = rows().map(seen);
        """,
        width=1300,
    )

    assert told["over"] <= 0
    assert set(told["lines"]) == {1}


def test_a_thousand_models(tmp_path):
    report = fleet(1000, variants=50)

    told = probe(
        report,
        tmp_path,
        'probe.all = names().length; set("filter", "zoo_79"); probe.found = names();'
        'set("filter", ""); press("time"); probe.first = names()[0];',
    )

    assert told["all"] == 1000
    assert sorted(told["found"]) == [f"zoo_79{digit}" for digit in range(10)]
    fastest = min(report.models, key=lambda m: sum(s.seconds for s in m.stages))
    assert told["first"] == fastest.name
