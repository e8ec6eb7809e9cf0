from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converter.demo.catalogue import SOURCES
from converter.demo.sources import fetch
from converter.errors import InputError, InternalError

if TYPE_CHECKING:
    from conftest import FakeIndex


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_fetches_members_and_generates_the_rest(index: FakeIndex, tmp_path: Path) -> None:
    models = fetch(cache=tmp_path / "cache")
    assert models == {"a": tmp_path / "cache" / "a", "b": tmp_path / "cache" / "b"}
    assert contents(models["a"]) == {
        "inference.pdmodel": b"program a",
        "inference.yml": b"words: 2\n",
    }
    assert contents(models["b"]) == {"inference.pdmodel": b"program b"}
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".tiny.lock", "a", "b"]
    assert not (tmp_path / "evil").exists()
    (call,) = index.calls
    assert call.startswith("download --no-deps --only-binary=:all:")
    assert call.endswith("tiny==1.0")
    assert "://" not in call


def test_what_is_cached_is_not_fetched_again(index: FakeIndex, tmp_path: Path) -> None:
    fetch(cache=tmp_path / "cache")
    fetch(["b"], cache=tmp_path / "cache")
    assert len(index.calls) == 1


def test_the_cache_follows_the_environment(
    index: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDLE2OM_CACHE", str(tmp_path / "elsewhere"))
    assert fetch(["a"])["a"] == tmp_path / "elsewhere" / "models" / "a"


@pytest.mark.parametrize("damage", [b"", b"program A", None])
def test_a_damaged_file_is_fetched_again(
    index: FakeIndex, tmp_path: Path, damage: bytes | None
) -> None:
    path = fetch(["a"], cache=tmp_path / "cache")["a"] / "inference.pdmodel"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    fetch(["a"], cache=tmp_path / "cache")
    assert path.read_bytes() == b"program a"
    assert len(index.calls) == 2


def _fetch_in_child(cache: str) -> None:
    assert fetch(["b"], cache=Path(cache))["b"].joinpath("inference.pdmodel").exists()


def test_processes_may_fetch_at_once(index: FakeIndex, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [
        context.Process(target=_fetch_in_child, args=(str(tmp_path / "cache"),)) for _ in range(6)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 6
    assert contents(tmp_path / "cache" / "b") == {"inference.pdmodel": b"program b"}
    assert len(index.calls) == 1


FAILURES = [
    (
        "import sys\n"
        "print('WARNING: Retrying https://user:secret@index.example/simple', file=sys.stderr)\n"
        "print('ERROR: Could not find a version of tiny', file=sys.stderr)\n"
        "print('ERROR: No matching distribution found for tiny==1.0', file=sys.stderr)\n"
        "sys.exit(1)",
        "pip cannot fetch tiny==1.0: No matching distribution found for tiny==1.0",
    ),
    (
        "import sys\nsys.exit('ERROR: 403 for https://user:secret@index.example:8/simple/tiny/')",
        "pip cannot fetch tiny==1.0: 403 for https://.../simple/tiny/",
    ),
    (
        "import sys\n"
        "sys.exit(\"ERROR: HTTPConnectionPool(host='index.example', port=80): refused\")",
        "pip cannot fetch tiny==1.0: HTTPConnectionPool(host='...', port=80): refused",
    ),
    ("raise SystemExit(1)", "pip cannot fetch tiny==1.0: it said nothing"),
    ("", "pip fetched 0 wheels for tiny==1.0"),
]


@pytest.mark.parametrize(("script", "message"), FAILURES)
def test_pip_failures(index: FakeIndex, tmp_path: Path, script: str, message: str) -> None:
    index.script.write_text(script)
    with pytest.raises(InputError) as caught:
        fetch(["a"], cache=tmp_path / "cache")
    assert caught.value.message == message
    assert "pip config" in caught.value.hint
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".tiny.lock"]


def test_no_pip_has_its_own_hint(index: FakeIndex, tmp_path: Path) -> None:
    index.script.write_text("import sys\nsys.exit(f'{sys.executable}: No module named pip')")
    with pytest.raises(InputError) as caught:
        fetch(["a"], cache=tmp_path / "cache")
    assert "ensurepip" in caught.value.hint


def test_another_wheel_is_refused(index: FakeIndex, tmp_path: Path) -> None:
    with index.wheel.open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="its sha256 differs"):
        fetch(["a"], cache=tmp_path / "cache")
    assert not (tmp_path / "cache" / "a").exists()


def test_unknown_names(index: FakeIndex, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no demo model aa") as caught:
        fetch(["aa"], cache=tmp_path / "cache")
    assert caught.value.hint == "did you mean a? the models are a, b"


def test_an_unwritable_cache(index: FakeIndex, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot keep models in") as caught:
        fetch(["a"], cache=tmp_path / "file" / "cache")
    assert "PADDLE2OM_CACHE" in caught.value.hint


def test_a_generator_that_changed_is_our_bug(
    index: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from converter.demo import sources

    source = sources.SOURCES["a"]
    made = replace(source.generated["inference.yml"], make=lambda text: "other")
    changed = replace(source, generated={"inference.yml": made})
    monkeypatch.setattr(sources, "SOURCES", {"a": changed})
    with pytest.raises(InternalError, match=r"inference\.yml is not what the catalogue says"):
        fetch(["a"], cache=tmp_path / "cache")


def test_catalogue_paths_stay_in_the_directory() -> None:
    for source in SOURCES.values():
        for name in (source.name, *source.members, *source.generated):
            assert Path(name).name == name
