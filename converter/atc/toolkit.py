"""Which version of CANN is installed, from the files that its installers write.

atc is one program of many: what it makes also comes from the toolkit's compilers and operators,
which an update may replace and leave atc itself as it was.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from converter.atc.environment import TOOLKIT_VARIABLES

#: Files that an installer writes, the first one being the toolkit's own word.
_NAMES = ("version.cfg", "version.info", "ascend_toolkit_install.info")

#: Where they are below a toolkit's directory, for itself and for its packages (before CANN 8.5,
#: and from then on), and what says which operators of others take part.
_BELOW = (*_NAMES, "*/version.info", "*/*_install.info", "share/info/*/version.info")
_VENDORS = ("vendors/config.ini", "vendors/*/version.info")

#: Directories above atc that may be the toolkit's: it lies in ``bin``, or in a package's.
_ABOVE = 3


def cann_version(atc: Path) -> str | None:
    """The version of the toolkit that ``atc`` lies in; None where no file tells it."""
    for directory in atc.resolve().parents:
        for name in _NAMES:
            try:
                text = (directory / name).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            match = re.search(r"(?im)^\W*\w*version\w*\s*=\s*\[?(?:[\w.]+:)?(\d[\w.]*)", text)
            if match:
                return match[1]
    return None


def toolkit_digest(atc: Path, environment: Mapping[str, str]) -> str:
    """A digest over what installers wrote about the toolkit that ``atc`` is of.

    It is looked for around ``atc`` and where ``environment`` says that the toolkit and its
    operators are. Files that cannot be read count as not there.
    """
    homes = [*atc.parents[:_ABOVE], *atc.resolve().parents[:_ABOVE]]
    homes += [Path(environment[name]) for name in TOOLKIT_VARIABLES if environment.get(name)]
    operators = [home / "opp" for home in homes]
    if environment.get("ASCEND_OPP_PATH"):
        operators.append(Path(environment["ASCEND_OPP_PATH"]))
    searched = [(home, pattern) for home in homes for pattern in _BELOW]
    searched += [(home, pattern) for home in operators for pattern in (*_NAMES, *_VENDORS)]
    digest = hashlib.sha256()
    found = {file.resolve() for home, pattern in searched for file in home.glob(pattern)}
    for file in sorted(found):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        digest.update(f"{os.fspath(file)}\0".encode(errors="surrogateescape"))
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]
