"""The atc command line that is stored in an OM file: whose paths it shows, what it asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

from converter.model.om_bytes import MAX_PROFILES
from converter.model.om_inout import OmProfiles

#: Flags whose values can have slashes without being paths: ONNX tensors are named /model/x.
_NO_PATHS = frozenset({"input_shape", "input_shape_range", "out_nodes", "output_type"})

_Kind: TypeAlias = Literal["batch", "image", "dims"]
_PROFILE_FLAGS: Mapping[str, _Kind] = {
    "dynamic_batch_size": "batch",
    "dynamic_image_size": "image",
    "dynamic_dims": "dims",
}

#: What ends a path; atc itself refuses paths with any of these.
_SEPARATORS = re.compile(r"([\s\"'=;,|:]+)")

#: No profile's extent has more digits.
_MAX_DIGITS = 18


def redact_path(text: str) -> str:
    """Replace the directories of every path in ``text`` by ``...``; file names stay."""
    return "".join(map(_redact_part, _SEPARATORS.split(text)))


def _redact_part(part: str) -> str:
    end = max(part.rfind("/"), part.rfind("\\"))
    if end < 0:
        return part
    name = part[end + 1 :]
    return f".../{name}" if name else "..."


def redact(cmdline: str) -> str:
    """Replace the directories of the paths in a command line by ``...``."""
    words = re.split(r"(\s+)", cmdline)
    previous = ""
    for at, word in enumerate(words):
        if not word or word.isspace():
            continue
        name = _flag(word) or (previous if not word.startswith("-") else "")
        if name not in _NO_PATHS:
            words[at] = redact_path(word)
        previous = _flag(word) if "=" not in word else ""
    return "".join(words)


def _flag(word: str) -> str:
    """The name of the flag that a word sets, without dashes: ``--input-shape=x`` and the like."""
    if not word.startswith("-"):
        return ""
    return word.lstrip("-").partition("=")[0].replace("-", "_")


def flag_in(cmdline: str, name: str) -> str | None:
    """The value that a command line gives a flag; None when it does not have it."""
    words = cmdline.replace('"', "").replace("'", "").split()
    for at, word in enumerate(words):
        if _flag(word) == name:
            return word.partition("=")[2] if "=" in word else "".join(words[at + 1 : at + 2])
    return None


def profiles_in(cmdline: str) -> OmProfiles | None:
    """The profiles that a command line asked for; None when it asked for none that parse."""
    words = cmdline.replace('"', "").replace("'", "").split()
    for at, word in enumerate(words):
        kind = _PROFILE_FLAGS.get(_flag(word))
        if kind is None:
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        value = word.partition("=")[2] if "=" in word else following
        parts = value.replace(",", ";") if kind == "batch" else value
        try:
            values = tuple(
                tuple(int(number[:_MAX_DIGITS]) for number in part.split(","))
                for part in parts.split(";")[: MAX_PROFILES + 1]
                if part
            )
        except ValueError:
            return None
        if not 0 < len(values) <= MAX_PROFILES:
            return None
        return OmProfiles(kind=kind, values=values, source="atc_cmdline")
    return None
