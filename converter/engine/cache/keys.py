"""Keys of results: a digest over everything that a stage's result depends on.

The key of a stage is made of the stage and its schema version, the options it reads, the versions
of the tools it uses, the code of paddle2om that it runs, and the key of the stage before it. The
first stage's is made of the model's files. All of them are known before anything runs.

How many threads and how much time and memory a worker may have is no part of it. The threads may
show in the last digit of an output, which the gate's limits are far above: with them in the key,
every other ``--jobs`` would do everything again.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from converter.errors import InputError
from converter.model.compile_options import CompileOptions
from converter.model.distributions import distributions_of
from converter.model.task import Task
from converter.resources import template_dir
from converter.stages.stage import Stage
from converter.version import __version__

#: Version of what entries look like; raised when older ones cannot be read any more.
SCHEMA = 1

#: Options of how a result is computed; what they change of it, a last digit, does not count.
EXECUTION = frozenset({"threads", "timeout", "memory"})

_COMPILE = "option compile"


class Key(NamedTuple):
    """A key, and what it is made of as text, which tells why two keys differ."""

    text: str
    parts: Mapping[str, str]


def stage_keys(
    task: Task, stages: Sequence[Stage], inputs: Mapping[str, str]
) -> dict[str, Key | None]:
    """The key of each stage; None for one whose result depends on what we do not know.

    ``inputs`` are the digests of the model's files by name. What follows a stage without a key has
    none either.
    """
    keys: dict[str, Key | None] = {}
    before = {f"input {name}": digest for name, digest in sorted(inputs.items())}
    lost = not inputs
    options = option_texts(task)
    for stage in stages:
        outside = None if lost else _surroundings(stage, task)
        if outside is None:
            lost = True
            keys[stage.name] = None
            continue
        parts = {"schema": f"{SCHEMA}", "stage": f"{stage.name} {stage.version}"}
        parts |= {"paddle2om": __version__, "machine": platform.machine()}
        parts |= {f"option {name}": options[name] for name in stage.reads}
        parts |= {f"tool {name}": version_of(name) for name in stage.tools}
        parts |= {f"code {room}": code_digest(room) for room in stage.rooms}
        parts |= {f"outside {name}": text for name, text in outside.items()}
        parts |= before
        keys[stage.name] = Key(digest_of(parts), parts)
        if stage.feeds:
            before = {f"after {stage.name}": digest_of(parts)}
    return keys


def option_texts(task: Task) -> dict[str, str]:
    """The options as they go into keys."""
    values: dict[str, Any] = task.options.model_dump(mode="json")
    compiled = {k: v for k, v in values["compile"].items() if k not in EXECUTION}
    # Files that options name are in the stage's surroundings, by content.
    values["compile"] = compiled if compiled["soc"] else None  # else nothing is compiled
    return {name: json.dumps(value, sort_keys=True) for name, value in values.items()}


def _surroundings(stage: Stage, task: Task) -> dict[str, str] | None:
    try:
        return stage.surroundings(task)
    except (InputError, OSError):  # the stage itself will say it
        return None


def digest_of(parts: Mapping[str, str]) -> str:
    """The digest over named texts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def version_of(tool: str) -> str:
    """A package's version, with its name where it is another build; ``python``'s is Python's."""
    if tool == "python":
        return platform.python_version()
    found = distributions_of(tool)
    named = [version if name == tool else f"{name} {version}" for name, version in found.items()]
    return " and ".join(named) or "none"


@cache
def code_digest(room: str) -> str:
    """A digest over one of our packages: a changed check, or table, must not find old results.

    ``room`` is a package below ``converter``, or ``templates/FILE``. With it go the modules at the
    top, which all packages use.
    """
    return digest_of_files(Path(__file__).parents[2], template_dir(), room)


def digest_of_files(package: Path, templates: Path, room: str) -> str:
    """The digest of ``room`` where these are the package and its templates."""
    kind, _, name = room.partition("/")
    of_room = [templates / name] if name else (package / kind).rglob("*")
    digest = hashlib.sha256()
    for path in sorted((*package.glob("*.py"), *of_room)):
        if path.is_file() and path.suffix != ".pyc":
            told = path.relative_to(package) if path.is_relative_to(package) else path.name
            digest.update(f"{told}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _option_differences(before: str, after: str) -> list[str]:
    """What differs between the options that are kept together, as JSON; null is the defaults."""
    nothing = CompileOptions().model_dump(mode="json")
    old, new = (json.loads(text) or nothing for text in (before, after))
    told = []
    for name in sorted({*old, *new}):
        was, now = (found.get(name, nothing.get(name)) for found in (old, new))
        if was == now:
            continue
        was, now = (each if isinstance(each, str) else json.dumps(each) for each in (was, now))
        if not old.get(name):
            told.append(f"{name} {now} (was none)")
        else:
            told.append(f"{name} {was} → {now if new.get(name) else 'none'}")
    return told


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What differs between two keys' parts, in words; what follows from other stages is left out.

    For example ``["option opset 11 → 13", "input inference.json changed"]``. Of options that are
    several, only those that differ are told.
    """
    told = []
    compiled = {old.get(_COMPILE), new.get(_COMPILE)}
    # What lies outside is looked at for a chip only, and comes and goes with it.
    alone = _COMPILE in old and _COMPILE in new and "null" in compiled and len(compiled) > 1
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after or name.startswith("after "):
            continue
        kind = name.partition(" ")[0]
        if alone and kind == "outside" and (before is None or after is None):
            continue
        if name == _COMPILE and before is not None and after is not None:
            told += _option_differences(before, after)
        elif kind in ("input", "code", "outside"):
            what = "is new" if before is None else "is gone" if after is None else "changed"
            told.append(f"{name} {what}")
        else:
            told.append(f"{name} {before or 'none'} → {after or 'none'}")
    return told
