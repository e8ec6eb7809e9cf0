"""Imports what came back in a bundle: every model of it, each in a worker."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from pathlib import Path

from converter.atc.bundle import OM, ONNX, BundleEntry, read_bundle
from converter.engine.convert import Silent
from converter.engine.launch import Host
from converter.engine.plan import (
    begin_log,
    check_is_no_file,
    check_logs,
    tool_versions,
    work_directory,
)
from converter.engine.pool import Observer, Pool
from converter.errors import InputError
from converter.model.result import RunReport
from converter.model.task import Task
from converter.stages.pipeline import IMPORT_STAGES
from converter.version import __version__


def run_import(
    bundle: Path,
    out: Path,
    *,
    force: bool = False,
    strict: bool = False,
    command: str = "",
    observer: Observer | None = None,
    host: Host | None = None,
) -> RunReport:
    """Verify every model of ``bundle`` and put its OM file into ``out/<name>/``.

    That is where ``convert`` puts models: the OM file comes to lie beside its ONNX file. A model
    that fails is a row of the report. Raises ``InputError`` when there is no bundle, and
    ``WorkerError`` when no worker can be started.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    with Pool(host) as pool:
        check_is_no_file(out)
        entries = read_bundle(bundle)
        _check_names(entries)
        logs = {entry.manifest.name: out / entry.manifest.name / "import.log" for entry in entries}
        with work_directory(out) as work:
            if not force:
                check_logs(logs.values())
            tasks = [
                _task(entry, out, work / str(index), force=force)
                for index, entry in enumerate(entries)
            ]
            for task in tasks:
                Path(task.work_dir).mkdir()
                logs[task.name].parent.mkdir(parents=True, exist_ok=True)
                begin_log(logs[task.name], task.name)
            reports = pool.run(tasks, logs, observer or Silent(), jobs=1)
    return RunReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        platform=platform.platform(),
        versions=tool_versions(),
        out_dir=str(out.absolute()),
        strict=strict,
        interrupted=pool.interrupted,
        models=tuple(reports),
    )


def imported_files(report: RunReport) -> list[Path]:
    """The OM files that an import put in place."""
    paths = [
        artefact.path
        for model in report.models
        for stage in model.stages
        if stage.stage == "import" and not stage.status.is_failure
        for artefact in stage.artefacts
    ]
    return [Path(report.out_dir) / path for path in paths if path.endswith(".om")]


def _check_names(entries: tuple[BundleEntry, ...]) -> None:
    """Names become directories, and the manifests have been through other hands."""
    names = [entry.manifest.name for entry in entries]
    for name in names:
        if not name or name in (".", "..") or "/" in name or "\0" in name or names.count(name) > 1:
            raise InputError(
                f"{name!r} is no name of a model, or of two", hint="make the bundle again"
            )


def _task(entry: BundleEntry, out: Path, work: Path, *, force: bool) -> Task:
    destination = out / entry.manifest.name
    return Task(
        name=entry.manifest.name,
        source=str((entry.directory / ONNX).absolute()),
        stages=IMPORT_STAGES,
        work_dir=str(work.absolute()),
        destination=str(destination.absolute()),
        report_root=str(out.absolute()),
        om_name=OM,
        beside=True,
        force=force,
        bundle=str(entry.directory.absolute()),
    )
