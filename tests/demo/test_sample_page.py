from __future__ import annotations

from pathlib import Path

from converter.demo.sample_page import draw_sample_page


def test_the_page_is_the_same_every_time(tmp_path: Path) -> None:
    lines = draw_sample_page(tmp_path / "a.png")
    assert draw_sample_page(tmp_path / "b.png") == lines
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert len(lines) == len(set(lines)) == 19
    assert lines[0] == "Delivery note 2024-0815"


def test_every_line_is_on_the_page(tmp_path: Path) -> None:
    from PIL import Image

    draw_sample_page(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        # A margin on every side: nothing is cut off.
        background = image.getpixel((0, 0))
        width, height = image.size
        for x in range(width):
            assert image.getpixel((x, 4)) == image.getpixel((x, height - 20)) == background
        for y in range(height):
            assert image.getpixel((4, y)) == image.getpixel((width - 20, y)) == background
