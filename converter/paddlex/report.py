"""What ``render`` did, as data: the same for the terminal and for ``--json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from converter.model.record import Record
from converter.paddlex.check import CheckReport
from converter.paddlex.render import Rendered, RenderOptions, Served
from converter.paddlex.traps import TrapWarning, warnings_for


class ModuleReport(Record):
    """A module of the pipeline and what serves it.

    ``state``: ``served`` by a converted model, ``off``, ``left`` to PaddleX, which downloads its
    own model, or ``skipped``, because it names no model or one that cannot be converted.
    ``enabled`` is False where a switch keeps PaddleX from creating the module. ``instead_of`` is
    the model that the config named, if that was another one. ``completed`` is True where
    ``model_dir`` is a copy with what the original lacked.
    """

    module: str
    model_name: str
    instead_of: str | None = None
    state: Literal["served", "off", "left", "skipped"]
    enabled: bool
    model: str | None = None
    model_dir: str | None = None
    completed: bool = False
    matched_by: Literal["name", "role", "use"] | None = None
    backend: str | None = None
    device: str | None = None
    input_shape: tuple[int, int, int] | None = None
    reason: str = ""
    fix: str = ""


class EditReport(Record):
    """A value that changed: the keys that lead to it, and what it was (None for a new key)."""

    key: str
    before: Any = None
    after: Any = None


class RenderReport(Record):
    """What ``paddle2om render --json`` prints. ``scripts`` and ``check`` are there if asked for."""

    pipeline: str
    base: str
    config: str
    paddlex: str
    wrapper: str
    backend: str
    modules: tuple[ModuleReport, ...]
    edits: tuple[EditReport, ...]
    warnings: tuple[TrapWarning, ...]
    scripts: tuple[str, ...] = ()
    check: CheckReport | None = None


def report_of(rendered: Rendered, options: RenderOptions, config: Path) -> RenderReport:
    """The report of a config that was written to ``config``."""
    return RenderReport(
        pipeline=rendered.pipeline.name,
        base=rendered.pipeline.source.name,
        config=str(config),
        paddlex=options.target.version,
        wrapper=options.target.wrapper,
        backend=options.backend,
        modules=tuple(_module(item) for item in rendered.served),
        edits=tuple(
            EditReport(key=".".join([*c.path, c.key]), before=c.before, after=c.after)
            for c in rendered.changes
        ),
        warnings=warnings_for(rendered, options.target, config),
    )


def _module(item: Served) -> ModuleReport:
    match = item.match
    if match.model is None or match.placement is None:
        state: Literal["off", "left", "skipped"] = "skipped" if match.how == "skipped" else "left"
        return ModuleReport(
            module=match.module.name,
            model_name=match.module.model_name,
            state="off" if state == "left" and not item.enabled else state,
            enabled=item.enabled,
            reason=match.reason,
            fix=match.fix,
        )
    assert match.how in ("name", "role", "use")
    return ModuleReport(
        module=match.module.name,
        model_name=match.model.model_name,
        instead_of=match.module.model_name if match.how != "name" else None,
        state="served",
        enabled=item.enabled,
        model=match.model.name,
        model_dir=str(match.model.directory),
        completed=match.model.repairs is not None,
        matched_by=match.how,
        backend=match.placement.route,
        device=str(match.placement.device),
        input_shape=item.input_shape,
        reason=match.placement.reason,
    )
