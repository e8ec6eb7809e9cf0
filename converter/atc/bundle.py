"""Models packed for a host with CANN that we cannot reach, and what comes back from it.

A bundle is a directory with ``run.sh``, a README and one directory per model: ``inference.onnx``,
the files that the command names, ``atc.sh`` and a manifest with the digest of each. ``run.sh`` adds
``inference.om``, external weights if asked for, the digests of both and ``atc.log``. Nothing that
comes back is believed: it may have been through any number of hands.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from converter.atc import external_weights
from converter.atc.command import render_script
from converter.atc.errors import explain, parse_errors
from converter.atc.model_facts import read_model_facts
from converter.atc.om_check import Asked
from converter.errors import InputError, StageError
from converter.model.artefacts import sha256_of, write_atomically
from converter.model.files import read_all
from converter.model.problems import first_problem
from converter.model.record import Record
from converter.model.tensor import TensorSpec
from converter.model.wording import last_line
from converter.resources import template_dir
from converter.version import __version__

#: In each model's directory.
BUNDLE_MANIFEST = "paddle2om.bundle.json"
ONNX, OM, DIGEST, LOG, SCRIPT = (
    "inference.onnx",
    "inference.om",
    "inference.om.sha256",
    "atc.log",
    "atc.sh",
)

#: In the bundle's own directory, with their modes.
_OWN_FILES = {"run.sh": 0o755, "README.md": 0o644}

#: Lines that atc.log is searched for errors in; more is not atc's.
_LOG_BYTES = 4 << 20


class BundledModel(Record):
    """The manifest of one model.

    ``source_sha256`` is the digest of the ONNX file that the bundle's was made from; ``files`` maps
    names to digests. What the OM file has to be is told here, not read from a model that has been
    elsewhere: ``inputs`` and ``outputs`` are the ONNX model's, ``flags`` atc's, and ``aipp_input``
    and ``opaque`` are those of ``Asked``.
    """

    schema_version: Literal[1] = 1
    tool: Literal["paddle2om"] = "paddle2om"
    version: str
    name: str
    argv: tuple[str, ...]
    input_shape: str
    source_sha256: str
    files: dict[str, str] = Field(min_length=1)
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    flags: dict[str, str]
    aipp_input: str | None = None
    opaque: tuple[str, ...] = ()

    @property
    def asked(self) -> Asked:
        """What the OM file has to be."""
        return Asked(self.inputs, self.outputs, self.flags, self.aipp_input, frozenset(self.opaque))


@dataclass(frozen=True)
class BundleEntry:
    """A model's directory in a bundle, and its manifest."""

    directory: Path
    manifest: BundledModel


def add_model(
    bundle: Path,
    *,
    name: str,
    argv: tuple[str, ...],
    input_shape: str,
    onnx: Path,
    source: Path,
    files: Mapping[str, Path],
    beside: Mapping[str, Path],
    asked: Asked,
) -> BundleEntry:
    """Put one model into ``bundle``, which is made if need be; whole or not at all.

    ``files`` are those that ``argv`` names, by the names that it has for them, ``beside`` others
    to travel with the model (``inference.yml``). ``onnx`` is what atc is given, ``source`` the file
    it was made from, ``asked`` what the OM file has to be. A model of that name that paddle2om put
    there is replaced, with its results: they are of another model. The same model for the same
    command is left as it is. Raises ``InputError`` when something else is in the way.
    """
    target = bundle / name
    script = render_script(name, argv, ONNX, OM, files=tuple(files))
    sources = {ONNX: onnx, **files, **beside}
    bundle.mkdir(parents=True, exist_ok=True)
    texts = {own: (template_dir() / "bundle" / own).read_bytes() for own in _OWN_FILES}
    for own, template in texts.items():
        _check_ours(bundle / own, template)
    for own, mode in _OWN_FILES.items():
        write_atomically(bundle / own, texts[own])
        (bundle / own).chmod(mode)
    # Hidden, so that neither run.sh nor an import takes a half-written model for one.
    work = Path(tempfile.mkdtemp(prefix=".", suffix=".tmp", dir=bundle))
    try:
        work.chmod(0o755)
        for file, path in sources.items():
            shutil.copyfile(path, work / file)
        (work / SCRIPT).write_text(script, encoding="utf-8")
        (work / SCRIPT).chmod(0o755)
        manifest = BundledModel(
            version=__version__,
            name=name,
            argv=argv,
            input_shape=input_shape,
            source_sha256=sha256_of(source),
            files={file: sha256_of(work / file) for file in sorted((*sources, SCRIPT))},
            inputs=asked.inputs,
            outputs=asked.outputs,
            flags=dict(asked.flags),
            aipp_input=asked.aipp_input,
            opaque=tuple(sorted(asked.opaque)),
        )
        if target.exists():
            if _read(target) == manifest and _is_whole(target, manifest):
                return BundleEntry(target, manifest)
            _remove(target)
        text = json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n"
        (work / BUNDLE_MANIFEST).write_text(text, encoding="utf-8")
        work.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return BundleEntry(target, manifest)


def _is_whole(directory: Path, manifest: BundledModel) -> bool:
    """Whether every file of the model is there as the manifest says."""
    return all(
        (directory / name).is_file() and sha256_of(directory / name) == digest
        for name, digest in manifest.files.items()
    )


def _check_ours(path: Path, text: bytes) -> None:
    """Raise ``InputError`` when ``path`` is a file of somebody else's.

    Ours begin with the line that the template begins with, whatever version wrote them.
    """
    begin = b"\n".join(text.splitlines()[:2])
    if path.exists() and (not path.is_file() or not path.read_bytes().startswith(begin)):
        raise InputError(
            f"{path} exists and is not a bundle's: a bundle would replace it",
            hint="give a directory of its own, for example --on bundle:atc-bundle",
        )


def read_bundle(bundle: Path) -> tuple[BundleEntry, ...]:
    """The models in a bundle, or the one whose directory it is. Raises ``InputError``."""
    if (bundle / BUNDLE_MANIFEST).is_file():
        return (BundleEntry(bundle, _read_or_raise(bundle)),)
    directories = sorted(bundle.iterdir()) if bundle.is_dir() else []
    found = [path for path in directories if (path / BUNDLE_MANIFEST).is_file()]
    if not found:
        raise InputError(
            f"{bundle} is not a bundle",
            hint="give the directory that --on bundle:DIR wrote, as it came back",
        )
    return tuple(BundleEntry(path, _read_or_raise(path)) for path in found)


@dataclass(frozen=True)
class ReturnedOm:
    """An OM file that came back, and its external weights: name beside it -> file."""

    om: Path
    weights: Mapping[str, Path]


def returned_om(entry: BundleEntry) -> ReturnedOm:
    """The OM file that came back with a model; its contents are still to be looked at.

    Raises ``InputError`` when something of the model was changed on the way or the OM file or a
    file of its weights is not the one that ``run.sh`` saw, and ``StageError`` when atc made none,
    with what its log says.
    """
    directory, manifest = entry.directory, entry.manifest
    for name, digest in manifest.files.items():
        path = directory / name
        if Path(name).name != name or not path.is_file() or sha256_of(path) != digest:
            raise InputError(
                f"{path} is not what was put into the bundle",
                hint="the OM file may be of another model: make the bundle again",
            )
    om = directory / OM
    if not om.is_file():
        raise _no_om(directory)
    noted = directory / DIGEST
    if not noted.is_file():
        raise InputError(
            f"{noted} is missing",
            hint="it tells whether the OM file came back whole: run run.sh, not atc.sh alone",
        )
    told = _digests(noted)
    if OM not in told or not all(name == OM or external_weights.is_one(name) for name in told):
        raise InputError(f"{noted} is damaged", hint="copy the bundle back again, whole")
    weights = external_weights.files_beside(om)
    for name in sorted({*told, *weights}):
        path = directory / name
        if name not in told or not path.is_file() or sha256_of(path) != told[name]:
            raise InputError(
                f"{path} is not the file that run.sh made", hint="copy the bundle back again, whole"
            )
    return ReturnedOm(om, weights)


def _digests(path: Path) -> dict[str, str]:
    """Name -> digest, of what ``sha256sum`` wrote."""
    lines = read_all(path).decode(errors="replace").splitlines()
    pairs = (line.partition("  ") for line in lines if line.strip())
    return {name: digest for digest, _, name in pairs}


def _no_om(directory: Path) -> StageError:
    log = directory / LOG
    if not log.is_file():
        return StageError(
            f"{directory.name} was not compiled: it has no {OM}",
            hint="run run.sh of the bundle on a host with CANN",
        )
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        words = file.read().decode(errors="replace")
    explained = explain(parse_errors(words), read_model_facts(directory / ONNX), output=words)
    if explained is None:
        return StageError(
            f"atc made no {OM}: {last_line(words) or 'no output'}", hint=f"read {log}"
        )
    message, hint = explained
    return StageError(f"atc made no {OM}: {message}", hint=f"{hint}. {log} has atc's full words")


def _read(directory: Path) -> BundledModel | None:
    try:
        return _read_or_raise(directory)
    except InputError:
        return None


def _read_or_raise(directory: Path) -> BundledModel:
    path = directory / BUNDLE_MANIFEST
    try:
        return BundledModel.model_validate_json(read_all(path))
    except ValidationError as error:
        raise InputError(
            f"{path} is damaged: {first_problem(error)}",
            hint="copy the bundle back again, or make it again",
        ) from error


def _remove(target: Path) -> None:
    """Take away a model that we put there."""
    if _read(target) is None:
        raise InputError(
            f"{target} exists and is not a model of a bundle",
            hint="choose another directory for the bundle",
        )
    shutil.rmtree(target)
