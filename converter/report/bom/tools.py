"""paddle2om and the packages that it converts with, as components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from typing import Any

from converter.report.bom.models import Graph

TOOL_REF = "tool/paddle2om"

_CLASSIFIER = "License :: OSI Approved :: "

#: Characters that the name of a licence has at most.
_LINE = 60


def tool_component(version: str) -> dict[str, Any]:
    """paddle2om itself."""
    return {
        "type": "application",
        "bom-ref": TOOL_REF,
        "name": "paddle2om",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def add_libraries(graph: Graph, versions: Mapping[str, str]) -> list[str]:
    """A component for each version of each package; references.

    They are out of scope: what is delivered does not contain them. The licence is the package's
    own word, and only known where that version is installed.
    """
    refs = []
    for name, text in versions.items():
        for version in text.split(" | "):  # of a merged report
            component: dict[str, Any] = {"name": name, "version": version, "scope": "excluded"}
            if name == "python":
                component["type"] = "platform"
            else:
                component["type"] = "library"
                component["purl"] = _purl(name, version)
                if licences := _licences(name, version):
                    component["licenses"] = licences
            refs.append(graph.add(f"library/{name}@{version}", component))
    return refs


def _purl(name: str, version: str) -> str:
    """The package URL; PyPI's type has names in lower case with dashes."""
    return f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"


def _licences(name: str, version: str) -> list[dict[str, Any]]:
    """As the installed package says: an SPDX expression, else its classifiers', or one line."""
    with suppress(metadata.PackageNotFoundError):
        found = metadata.metadata(name)
        if _field(found, "Version") != version:
            return []
        if expression := _field(found, "License-Expression"):
            return [{"expression": expression}]
        classifiers = found.get_all("Classifier") or []
        names = [c.removeprefix(_CLASSIFIER) for c in classifiers if c.startswith(_CLASSIFIER)]
        line = (_field(found, "License") or "").strip()
        if not names and line and len(line) <= _LINE and "\n" not in line:
            names = [line]  # others have the whole text there
        return [{"license": {"name": name}} for name in names]
    return []


def _field(found: metadata.PackageMetadata, name: str) -> str | None:
    """Not by ``found[name]``: without the field Python gives None, and the backport raises."""
    values = found.get_all(name)
    return values[0] if values else None
