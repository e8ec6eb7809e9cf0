"""What the user names is written to and stays what it is: devices, FIFOs, links."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from converter.cli.app import app
from converter.errors import InputError
from converter.model.run_manifest import require_manifest
from converter.model.task import ConvertOptions
from converter.report.atomic import check_writable, write_text_through
from converter.report.bom.document import write_bom
from converter.report.junit import write_junit
from converter.report.markdown import write_markdown
from tests.report.report_builders import good, run, write_json

FIXTURES = Path(__file__).parents[2] / "fixtures"


def _bom(path: Path) -> None:
    made = good("a").model_copy(update={"options": ConvertOptions()})
    report = run([made])
    write_bom(report, require_manifest(report, path), path)


def _report_write(path: Path) -> None:
    write_json(run([good("a")]), path.parent / "report.json")
    args = ["report", "write", str(path.parent), "markdown", "-o", str(path)]
    assert CliRunner().invoke(app, args).exit_code == 0


def _recipe_init(path: Path) -> None:
    models = path.parent / "models"
    shutil.copytree(FIXTURES / "tiny_pir", models / "tiny")
    args = ["recipe", "init", str(models), "-o", str(path), "--force"]
    assert CliRunner().invoke(app, args).exit_code == 0


WRITERS = {
    "junit": lambda path: write_junit(run([good("a")]), path),
    "markdown": lambda path: write_markdown(run([good("a")]), path),
    "bom": _bom,
    "report write": _report_write,
    "recipe init": _recipe_init,
}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return WRITERS[request.param]


def test_a_fifo_is_written_to(write: Callable[[Path], None], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keeper = os.open(fifo, os.O_RDWR)  # so that no side waits for the other
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(os.read(keeper, 1 << 20)), daemon=True)
    reader.start()
    try:
        write(fifo)
        assert fifo.is_fifo()
        reader.join(10)
        assert read and read[0]
    finally:
        os.write(keeper, b"x")
        os.close(keeper)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_leads_to_what_is_written(
    write: Callable[[Path], None], tmp_path: Path, there: bool
) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_text("before, and longer than nothing")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text().endswith("\n")
    assert "before" not in target.read_text()


def test_a_device_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_text_through(link, "text")
    assert link.is_symlink()
    assert Path("/dev/null").is_char_device()


def test_a_device_that_is_full_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left on device") as refused:
        write_text_through(link, "text")
    assert refused.value.hint


def test_an_open_file_behind_dev_stdout_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("w") as held:
        write_text_through(Path(f"/dev/fd/{held.fileno()}"), "text")
        assert os.fstat(held.fileno()).st_ino == file.stat().st_ino
    assert file.read_text() == "text"


def test_a_regular_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file"
    write_text_through(file, "one")
    before = file.stat().st_ino
    write_text_through(file, "two")
    assert file.read_text() == "two"
    assert file.stat().st_ino != before
    assert list(file.parent.iterdir()) == [file]


@pytest.fixture
def link(leads_to: str, tmp_path: Path) -> Path:
    """A link to a place in a directory with a file and a directory."""
    (tmp_path / "file").touch()
    (tmp_path / "dir").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / leads_to)
    return link


@pytest.mark.parametrize("leads_to", ["no/dir/f", "link", "file/f", "dir"])
def test_a_link_to_what_cannot_be_written_is_told_before(link: Path) -> None:
    with pytest.raises(InputError) as after:
        write_text_through(link, "text")
    with pytest.raises(InputError) as before:
        check_writable(link)
    assert before.value.message == after.value.message
    assert str(link) in before.value.message


@pytest.mark.parametrize("leads_to", ["dir/f", "file", "/dev/null", "/dev/stderr"])
def test_a_link_to_what_can_be_written_is_no_mistake(link: Path) -> None:
    check_writable(link)
    write_text_through(link, "")
