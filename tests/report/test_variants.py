"""Variants of one model are put together, and nothing else is."""

from __future__ import annotations

from converter.report.html import render_html
from converter.report.variants import groups
from tests.report import report_builders as build


def varied(name: str, of: str, source: str = "s", **variant: str):
    changes = {"model": of, "variant": variant, "source": source}
    return build.good(name).model_copy(update=changes)


def test_variants_are_one_group_wherever_they_stand():
    report = build.run(
        [
            varied("m-a", "m", opset="11", soc="a"),
            build.good("alone"),
            varied("m-b", "m", opset="13", soc="a"),
            varied("m-c", "m", source="elsewhere", opset="13"),
        ]
    )

    found = groups(report)

    assert [[row.number for row in group.rows] for group in found] == [[1, 3], [2], [4]]
    assert found[0].name == "m"
    assert found[0].axes == "opset × soc"
    assert found[0].rows[1].label == "opset 13 · soc a"
    assert [group.has_variants for group in found] == [True, False, False]


def test_models_of_one_name_without_variants_stay_apart():
    twins = [build.good(name).model_copy(update={"model": "m"}) for name in ("a_m", "b_m")]

    assert [group.name for group in groups(build.run(twins))] == ["a_m", "b_m"]


def test_a_variants_page_leads_to_the_others():
    report = build.run([varied("m-a", "m", opset="11"), varied("m-b", "m", opset="13")])

    page = render_html(report)

    assert '<strong>opset 11</strong>, \n<a href="#model-2">opset 13</a>' in page
    assert "2 variants by opset<" in page
