"""A package index that is a directory, and two small models in a wheel of our own."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from converter.demo import sources
from converter.demo.catalogue import Generated, Member, Source, Wheel

PIP = """
import os, shutil, sys, pathlib
with open(os.environ["FAKE_PIP_LOG"], "a") as log:
    print(*sys.argv[1:], file=log)
destination = sys.argv[sys.argv.index("--dest") + 1]
shutil.copy(os.environ["FAKE_PIP_WHEEL"], destination)
"""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class FakeIndex:
    """What pip finds, what it was asked, and the source file that stands for pip."""

    wheel: Path
    log: Path
    script: Path

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    """Replace pip by a script (``python -m pip`` finds it first) and the catalogue by one wheel."""
    wheel = tmp_path / "index" / "tiny-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/a.pdmodel", b"program a")
        archive.writestr("tiny/words.txt", b"x\ny\n")
        archive.writestr("tiny/b.pdmodel", b"program b")
        archive.writestr("../../evil", b"never extracted")
    site = tmp_path / "site"
    site.mkdir()
    fake = FakeIndex(wheel, tmp_path / "pip.log", site / "pip.py")
    fake.script.write_text(PIP)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("FAKE_PIP_WHEEL", str(wheel))
    monkeypatch.setenv("FAKE_PIP_LOG", str(fake.log))

    published = Wheel("tiny", "1.0", digest(wheel.read_bytes()), "Apache-2.0")
    words = Member("tiny/words.txt", digest(b"x\ny\n"))
    made = Generated(lambda text: f"words: {len(text.split())}\n", digest(b"words: 2\n"), (words,))
    monkeypatch.setattr(
        sources,
        "SOURCES",
        {
            "a": Source(
                "a",
                published,
                {"inference.pdmodel": Member("tiny/a.pdmodel", digest(b"program a"))},
                {"inference.yml": made},
            ),
            "b": Source(
                "b",
                published,
                {"inference.pdmodel": Member("tiny/b.pdmodel", digest(b"program b"))},
            ),
        },
    )
    assert sys.executable
    return fake
