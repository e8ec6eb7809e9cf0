"""A PaddleX pipeline config, walked into the modules that load models, at whatever depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.errors import InputError
from converter.model.roles import Role, role_of
from converter.paddlex import tables
from converter.paddlex.yaml_source import YamlSource

#: Keys that PaddleX hands from a pipeline to what is in it.
INHERITED = ("engine", "engine_config", "use_hpip", "hpi_config")

_GROUPS = ("SubModules", "SubPipelines")


@dataclass(frozen=True)
class Switch:
    """Turns the part ``name`` off when all ``keys`` of the mapping at ``path`` are False."""

    path: tuple[str, ...]
    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """An entry of ``SubModules``.

    ``path`` are the keys that lead to it, ``name`` the same without the groups, joined by dots.
    ``settings`` is the entry; ``above`` are the entries around it that it inherits from, from the
    outside in. ``switches`` are those of everything around it and its own, from the outside in,
    those that are off now in ``off``. ``skipped`` says why it is left alone, if it is.
    """

    path: tuple[str, ...]
    pipeline: str
    settings: Mapping[str, Any]
    above: tuple[Mapping[str, Any], ...]
    switches: tuple[Switch, ...] = ()
    off: tuple[Switch, ...] = ()
    skipped: str = ""

    @property
    def key(self) -> str:
        """The last key: ``TextDetection``."""
        return self.path[-1]

    @property
    def name(self) -> str:
        """``GeneralOCR.TextDetection``."""
        return ".".join(key for key in self.path if key not in _GROUPS)

    @property
    def model_name(self) -> str:
        """The model that the config names; "" for an entry that names none."""
        return str(self.settings.get("model_name") or "")

    @property
    def is_model(self) -> bool:
        """Whether PaddleX loads a model here, convertible or not."""
        return tables.why_no_model(str(self.settings.get("module_name"))) is None

    @property
    def role(self) -> Role | None:
        """What the model does; by its name, because ``module_name`` is wrong in PP-ShiTuV2."""
        return role_of(self.model_name, {})

    @property
    def reads_input_shape(self) -> bool:
        """Whether PaddleX looks at ``input_shape`` here."""
        return tables.reads_input_shape(self.pipeline, self.key)

    @property
    def own_switch(self) -> Switch | None:
        """The switch of this module alone, if it has one."""
        last = self.switches[-1] if self.switches else None
        return last if last and last.name == self.name else None


@dataclass(frozen=True)
class Pipeline:
    """A config, its modules in the order of the file, and where it came from."""

    name: str
    source: YamlSource
    data: dict[str, Any] = field(repr=False)
    modules: tuple[Module, ...]


def read_pipeline(source: YamlSource) -> Pipeline:
    """Find all modules. Raises ``InputError`` when the file is not a pipeline config."""
    data = source.data()
    name = data.get("pipeline_name")
    modules = modules_in(data)
    if not isinstance(name, str) or not modules:
        lacks = "SubModules" if isinstance(name, str) else "pipeline_name"
        raise InputError(
            f"{source.name} is not a pipeline config: it has no {lacks}",
            hint="give a PaddleX pipeline config, such as paddlex --get_pipeline_config writes",
        )
    return Pipeline(name, source, data, modules)


def modules_in(data: Mapping[str, Any]) -> tuple[Module, ...]:
    """All modules of a config, in the order of the file."""
    return tuple(_modules(data, (), (), (), ()))


def _modules(
    config: Mapping[str, Any],
    path: tuple[str, ...],
    above: tuple[Mapping[str, Any], ...],
    switches: tuple[Switch, ...],
    off: tuple[Switch, ...],
) -> Iterator[Module]:
    pipeline = str(config.get("pipeline_name") or "")
    above = (*above, config)
    for group in _GROUPS:
        parts = config.get(group)
        for key, part in parts.items() if isinstance(parts, dict) else ():
            if not (isinstance(key, str) and isinstance(part, dict)):
                continue
            inner = (*path, group, key)
            on_path, off_here = switches, off
            if keys := tables.switches(pipeline, key):
                name = ".".join(part for part in inner if part not in _GROUPS)
                switch = Switch(path, name, keys)
                on_path = (*switches, switch)
                if not any(config.get(flag, True) for flag in keys):
                    off_here = (*off, switch)
            if group == "SubPipelines":
                yield from _modules(part, inner, above, on_path, off_here)
            else:
                yield Module(inner, pipeline, part, above, on_path, off_here, _why_skipped(part))


def _why_skipped(settings: Mapping[str, Any]) -> str:
    module_name = settings.get("module_name")
    reason = tables.why_no_model(module_name) if isinstance(module_name, str) else None
    if reason is None and not isinstance(settings.get("model_name"), str):
        inner = [item for item in settings.values() if isinstance(item, dict)]
        kinds = {item.get("module_name") for item in inner}
        known = [tables.why_no_model(kind) for kind in kinds if isinstance(kind, str)]
        reason = next(filter(None, known), "it names no model")
    return reason or tables.why_never_converted(str(settings["model_name"])) or ""
