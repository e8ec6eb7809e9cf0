"""Renders a pipeline config: reads it, matches models, edits in place, checks what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converter.errors import InputError
from converter.model.roles import Role
from converter.paddlex import tables
from converter.paddlex.base import Base
from converter.paddlex.config_edit import Change, ConfigEdit
from converter.paddlex.config_file import without_marker
from converter.paddlex.forms import form_of, settings_for
from converter.paddlex.matching import Match, check_names, fits, match_modules, suggest
from converter.paddlex.modules import NO_MODEL, ConvertedModel
from converter.paddlex.om_shape import check_fixed_shape, fed_shape
from converter.paddlex.pipeline import Module, Pipeline, Switch, modules_in, read_pipeline
from converter.paddlex.placement import Chooser, Placer, Route, choose_by_files
from converter.paddlex.runtime_check import check_runtimes
from converter.paddlex.targets import Device, Target
from converter.paddlex.yaml_source import read_source

Shape = tuple[int, int, int]

#: What PaddleX's configs have for text detectors since v5, which read pages as they are, and for
#: older ones (PP-ChatOCRv4-doc), which were trained on pages of 960.
_SIDE_LIMITS: Mapping[bool, dict[str, Any]] = {
    False: {"limit_side_len": 64, "limit_type": "min"},
    True: {"limit_side_len": 960, "limit_type": "max"},
}

#: New keys of a module stand behind these.
_BEHIND = ("model_name", "model_dir")


@dataclass(frozen=True)
class RenderOptions:
    """What to render for. ``use``, ``place`` and ``shapes`` name modules by path or its end."""

    backend: str = "onnx"
    target: Target = field(default_factory=Target)
    device: Device | None = None
    use: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, Route] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    choose: Chooser = choose_by_files


@dataclass(frozen=True)
class Served:
    """A module and what became of it.

    ``enabled`` is False where a switch is off; ``form`` is the template of its settings.
    """

    match: Match
    enabled: bool
    form: str = ""
    input_shape: Shape | None = None

    @property
    def role(self) -> Role | None:
        """What the model does, or the module where there is no model."""
        return self.match.model.role if self.match.model else self.match.module.role


@dataclass(frozen=True)
class Rendered:
    """The new text, what serves each module, and every value that changed."""

    pipeline: Pipeline
    text: str
    served: tuple[Served, ...]
    changes: tuple[Change, ...]

    @property
    def unready(self) -> tuple[ConvertedModel, ...]:
        """The models that serve a module and whose directory has yet to be made."""
        served = [item.match.model for item in self.served]
        return tuple({m.directory: m for m in served if m and m.repairs}.values())

    @property
    def models(self) -> dict[str, str]:
        """Module -> the name of the model that serves it."""
        return {s.match.module.name: s.match.model.name for s in self.served if s.match.model}


def render_pipeline(
    base: Base, models: Iterable[ConvertedModel], options: RenderOptions
) -> Rendered:
    """Point the config's modules at the models.

    Post-conditions: the new text means what the old one did, except for the changes that are
    listed; and by PaddleX's own rules of inheritance, every module gets the runtime and the device
    that it is placed on. Raises ``InputError``.
    """
    pipeline = read_base(base)
    matches = match_modules(
        pipeline.modules,
        models,
        Placer(options.backend, options.target, options.device, options.choose),
        use=_model_choices(pipeline, options.use),
        place=options.place,
    )
    _refuse_shapes(pipeline, options.shapes)
    if not any(match.model for match in matches):
        raise InputError(
            f"none of the models serves a module of {pipeline.name}", hint=_why_none(matches)
        )
    off = _switched_off(matches, options.use)
    editor = ConfigEdit(pipeline)
    for switch in off:
        editor.switch_off(switch)
    with_npu = any(match.placement and match.placement.route == "om" for match in matches)
    served = tuple(_serve(editor, match, off, options, with_npu) for match in matches)
    text, meant = editor.finish(base.name)
    check_runtimes(
        modules_in(meant),
        {s.match.module.path: s.match.placement for s in served if s.match.placement},
        options.target,
    )
    return Rendered(pipeline, text, served, tuple(editor.changes))


def _serve(
    editor: ConfigEdit,
    match: Match,
    off: tuple[Switch, ...],
    options: RenderOptions,
    with_npu: bool,
) -> Served:
    module, model, placement = match.module, match.model, match.placement
    enabled = not module.off and not any(switch in module.switches for switch in off)
    if model is None or placement is None:
        return Served(match, enabled)
    shape = _om_shape(module, model, options.shapes) if placement.route == "om" else None
    if module.model_name != model.model_name:
        module = replace(module, settings={**module.settings, "model_name": model.model_name})
    wanted: dict[str, Any] = {
        "model_name": model.model_name,
        "model_dir": str(model.directory),
    }
    if options.target.has_engine and module.role == "textline_orientation":
        # PaddleX 3.5 and later turn all lines of a batch by the angle of the first one.
        wanted |= {"batch_size": 1} if module.settings.get("batch_size", 1) != 1 else {}
    wanted |= _side_limits(module, match.module.model_name)
    form = form_of(module.model_name, placement, options.target, with_npu=with_npu)
    wanted |= settings_for(form, module, placement, options.target, input_shape=shape)
    for key, value in wanted.items():
        editor.set(module.path, key, value, _BEHIND)
    return Served(match, enabled, form, shape)


def _side_limits(module: Module, before: str) -> dict[str, Any]:
    """The size to which pages are shrunk, when a detector of another generation takes over.

    Only where the config has what PaddleX's configs have for the detector ``before``.
    """
    if module.role != "text_detection":
        return {}
    old, new = _SIDE_LIMITS[_is_old(before)], _SIDE_LIMITS[_is_old(module.model_name)]
    return new if old != new and old.items() <= dict(module.settings).items() else {}


def _is_old(detector: str) -> bool:
    return "PP-OCRv4" in detector or "PP-OCRv3" in detector


def _om_shape(module: Module, model: ConvertedModel, shapes: Mapping[str, Shape]) -> Shape | None:
    """What the config tells PaddleX to feed the OM file; None where PaddleX would not read it."""
    names = [name for name in shapes if fits(module, name)]
    if module.reads_input_shape:
        asked = shapes[max(names, key=len)] if names else None
        return fed_shape(module.name, model, asked)
    check_fixed_shape(module.name, model)
    return None


def _refuse_shapes(pipeline: Pipeline, shapes: Mapping[str, Shape]) -> None:
    for name in shapes:
        modules = [module for module in pipeline.modules if fits(module, name)]
        if not any(module.reads_input_shape for module in modules):
            takers = [module.name for module in pipeline.modules if module.reads_input_shape]
            raise InputError(
                f"{name} takes no shape" if modules else f"this pipeline has no module {name}",
                hint=f"PaddleX reads input_shape only for {' and '.join(takers)}"
                if takers
                else "PaddleX reads input_shape for no module of this pipeline",
            )


def read_base(base: Base) -> Pipeline:
    """The modules of a config. Raises ``InputError``."""
    return read_pipeline(read_source(without_marker(base.data), base.name))


def check_choices(
    base: Base, models: Sequence[ConvertedModel], options: RenderOptions, *, complete: bool
) -> None:
    """Raise ``InputError`` for choices that ``render_pipeline`` would refuse in any case.

    ``models`` are those that there will be (``foreseen_models``); ``complete`` is False where
    others may come. Several for one module are refused where all will have what is asked for, an
    ONNX file.
    """
    pipeline = read_base(base)
    use = _model_choices(pipeline, options.use)
    names = {name for model in models for name in (model.name, model.model_name)} | {NO_MODEL}
    if not complete:
        use = {module: model for module, model in use.items() if model in names}
    if options.backend == "onnx" and not options.place:
        placer = Placer("onnx", options.target)
        match_modules(pipeline.modules, models, placer, use=use, place={})
    elif complete:
        check_names(use, options.place, pipeline.modules, models)


def _model_choices(pipeline: Pipeline, use: Mapping[str, str]) -> dict[str, str]:
    """``use`` without the groups that are switched off as a whole. Raises ``InputError``."""
    choices = {}
    known = {switch.name for module in pipeline.modules for switch in module.switches}
    for name, model in use.items():
        if model != NO_MODEL:
            choices[name] = model
            continue
        modules = [module for module in pipeline.modules if fits(module, name)]
        if modules and all(module.own_switch for module in modules):
            choices[name] = model
        elif not any(_ends(switch, name) for switch in known):
            there = bool(modules) or any(name in module.name for module in pipeline.modules)
            raise InputError(
                f"{name} cannot be switched off: the pipeline has no key for it"
                if there
                else f"this pipeline has no module {name}",
                hint=suggest(name, sorted(known), "what can be switched off:")
                if known
                else "nothing in it can be switched off",
            )
    return choices


def _switched_off(matches: list[Match], use: Mapping[str, str]) -> tuple[Switch, ...]:
    """Parts to switch off: those the user names, and optional ones for which there is no model."""
    asked = [name for name, model in use.items() if model == NO_MODEL]
    off: list[Switch] = []
    # From the outside in: what is in a part that is off needs no switch of its own.
    every = dict.fromkeys(switch for match in matches for switch in match.module.switches)
    for switch in sorted(every, key=lambda switch: len(switch.path)):
        inside = [match for match in matches if switch in match.module.switches]
        if any(_is_off(switch, match.module) for match in inside):
            continue
        if any(done in inside[0].module.switches for done in off):
            continue
        named = any(_ends(switch.name, name) for name in asked)
        optional = tables.is_off_without_model(switch.name.rpartition(".")[2])
        if named or (optional and all(match.model is None for match in inside)):
            off.append(switch)
    return tuple(off)


def _is_off(switch: Switch, module: Module) -> bool:
    """Whether this switch, or one around it, is off already."""
    outward = module.switches[: module.switches.index(switch) + 1]
    return any(outer in module.off for outer in outward)


def _ends(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def _why_none(matches: list[Match]) -> str:
    wanted = dict.fromkeys(m.module.model_name for m in matches if m.how == "none")
    skipped = [f"{m.module.name}: {m.reason}" for m in matches if m.how == "skipped"]
    if wanted:
        return f"it wants {', '.join(wanted)}; or choose one with --use MODULE=NAME"
    return "; ".join(skipped) or "nothing is left to serve"
