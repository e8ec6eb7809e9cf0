"""Versions that are known not to go together: measured here, or declared by the packages."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converter.engine.doctor.findings import Check, State
from converter.model.distributions import RIVALS

_Version = tuple[int, ...]


@dataclass(frozen=True)
class Range:
    """Versions of a package from ``since`` on, and below ``before``; None for no bound.

    A build for another device (``onnxruntime-gpu``) is the same package.
    """

    package: str
    since: _Version | None = None
    before: _Version | None = None

    def installed(self, versions: Mapping[str, str]) -> str | None:
        """The distribution that is installed in one of these versions; None when none is."""
        for name in (self.package, *RIVALS.get(self.package, ())):
            version = parse_version(versions.get(name, ""))
            if version is not None and self._has(version):
                return name
        return None

    def _has(self, version: _Version) -> bool:
        return not (
            (self.since is not None and version < self.since)
            or (self.before is not None and version >= self.before)
        )


@dataclass(frozen=True)
class KnownBad:
    """A combination, what happens with it, and what to install instead."""

    parts: tuple[Range, ...]
    reason: str
    fix: str
    state: State = "problem"


KNOWN_BAD: tuple[KnownBad, ...] = (
    KnownBad(
        (Range("paddlepaddle", before=(3, 0)), Range("paddle2onnx", since=(2, 0))),
        "paddle2onnx 2 needs Paddle 3: with an older one it cannot load its library",
        "pip install 'paddlepaddle>=3.2.2,<3.4'",
    ),
    KnownBad(
        (Range("paddle2onnx", before=(2, 0)),),
        "paddle2onnx 1 cannot read inference.json, the format of Paddle 3",
        "pip install paddle2onnx==2.1.0",
    ),
    KnownBad(
        (Range("paddle2onnx", since=(2, 0), before=(2, 1)),),
        "PaddleX's plugin pins paddle2onnx 2.0.2rc3 (3.3, 3.4, 3.7); paddle2om's repairs are made "
        "for, and tested with, 2.1.0",
        "pip install paddle2onnx==2.1.0, and let PaddleX have an environment of its own",
    ),
    KnownBad(
        (Range("paddle2onnx", since=(2, 1)), Range("onnx", since=(1, 18))),
        "paddle2onnx 2.1.0 declares onnx 1.16.1 to 1.17.0; newer ones converted well where it was "
        "tried, but pip may take either package away",
        "pip install 'onnx>=1.16.1,<=1.17.0'",
        "warning",
    ),
    KnownBad(
        (Range("onnx", before=(1, 16, 1)),),
        "paddle2onnx 2.1.0 needs onnx 1.16.1 or later",
        "pip install 'onnx>=1.16.1,<=1.17.0'",
    ),
    KnownBad(
        (Range("onnxruntime", before=(1, 22)),),
        "onnxruntime before 1.22 is not tested, and refuses files of newer IR versions",
        "pip install 'onnxruntime>=1.22,<2'",
        "warning",
    ),
    KnownBad(
        (Range("paddlepaddle", since=(3, 4)),),
        "this Paddle is newer than any that paddle2om was tested with",
        "pip install paddlepaddle==3.3.1",
        "warning",
    ),
    KnownBad(
        (Range("numpy", since=(2, 0)), Range("paddlepaddle", before=(3, 0))),
        "Paddle 2 needs numpy 1",
        "pip install 'paddlepaddle>=3.2.2,<3.4'",
    ),
    KnownBad(
        (Range("paddlex", before=(3, 5)),),
        "PaddleX before 3.5 ignores `engine`: ONNX configs need ultra_infer there",
        "pip install 'paddlex[ocr-core]==3.7.2', or render with --paddlex and the version here",
        "warning",
    ),
    KnownBad(
        (Range("onnxruntime-cann"), Range("ultra-infer-npu-python")),
        "ultra_infer's OM backend fails (acl 100002) in a process in which onnxruntime-cann was "
        "first (PaddleX issue 5161)",
        "run OM files and CANN's execution provider in different processes",
        "warning",
    ),
)


def known_bad(versions: Mapping[str, str]) -> list[Check]:
    """A check for each known combination that is installed."""
    checks = []
    for known in KNOWN_BAD:
        names = [part.installed(versions) for part in known.parts]
        present = [name for name in names if name is not None]
        if len(present) == len(names):
            checks.append(
                Check(
                    area="packages",
                    name=" + ".join(present),
                    state=known.state,
                    found=" + ".join(f"{name} {versions[name]}" for name in present),
                    reason=known.reason,
                    fix=_fix(known, present),
                )
            )
    return checks


def _fix(known: KnownBad, present: Sequence[str]) -> str:
    """What to install: the build that is there, or it would get a rival."""
    fix = known.fix
    for part, name in zip(known.parts, present, strict=True):
        fix = re.sub(rf"(?<![\w-]){re.escape(part.package)}(?=[=<>])", name, fix)
    return fix.replace("pip install", f"{sys.executable} -m pip install")


def parse_version(text: str) -> _Version | None:
    """``2.0.2rc3`` -> (2, 0, 2); None where there is no number."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else None
