"""The modules in a config, each with what it and the levels above it say about running it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import InputError


@dataclass(frozen=True)
class ModuleSettings:
    """A module that has a model: its ``path`` in the config, its keys, and the levels above.

    ``above`` begins with the whole config; PaddleX lets a nearer level win.
    """

    path: str
    own: Mapping[str, Any]
    above: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """The module's own name, such as ``TextDetection``."""
        return self.path.rpartition(".")[2]

    @property
    def model_name(self) -> str:
        """PaddleX's name of the model."""
        return str(self.own.get("model_name"))

    @property
    def hpi(self) -> dict[str, Any]:
        """``hpi_config`` of all levels, the nearest winning: what the author meant."""
        merged: dict[str, Any] = {}
        for level in (*self.above, self.own):
            config = level.get("hpi_config")
            merged |= config if isinstance(config, dict) else {}
        return merged

    @property
    def wanted(self) -> str | None:
        """The engine the config means for this module, None where it says nothing.

        ``onnxruntime``, ``ultra_infer/om``, ``ultra_infer/ort``, ``ultra_infer`` or ``paddle``.
        """
        for level in (self.own, *reversed(self.above)):
            engine = level.get("engine")
            if engine is not None:
                return self._hpi_engine() if engine == "hpi" else _family(str(engine))
            if level.get("use_hpip"):
                return self._hpi_engine()
            if level is self.own and level.get("use_hpip") is False:
                return "paddle"
        # The tutorial's form: the backend at the top, use_hpip as an argument.
        return self._hpi_engine() if self.hpi.get("backend") else None

    def _hpi_engine(self) -> str:
        config = self.own.get("engine_config")
        nested = config.get("hpi") if isinstance(config, dict) else None
        backend = {**self.hpi, **(nested if isinstance(nested, dict) else {})}.get("backend")
        names = {"om": "ultra_infer/om", "onnxruntime": "ultra_infer/ort", "paddle": "paddle"}
        return names.get(str(backend), "ultra_infer")


def read_config(path: Path) -> dict[str, Any]:
    """Read a pipeline config; raises ``InputError`` when it is none."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="check the path"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not YAML: {' '.join(str(error).split())}",
            hint="give a config that paddle2om render wrote, or one of PaddleX's",
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("pipeline_name"), str):
        raise InputError(
            f"{path} is not a PaddleX pipeline config: it has no pipeline_name",
            hint="give a config that paddle2om render wrote, or one of PaddleX's",
        )
    return content


def walk(config: Mapping[str, Any]) -> Iterator[ModuleSettings]:
    """All modules with a model, in the order of the config.

    Chat bots, retrievers and prompts sit in the same place, but are no models: they have an
    ``api_type`` or no ``model_name``.
    """
    yield from _walk(config, (), ())


def _walk(
    node: Mapping[str, Any], path: tuple[str, ...], above: tuple[Mapping[str, Any], ...]
) -> Iterator[ModuleSettings]:
    levels = (*above, node)
    for kind in ("SubModules", "SubPipelines"):
        children = node.get(kind)
        for name, child in children.items() if isinstance(children, dict) else ():
            if not isinstance(child, dict):
                continue
            here = (*path, kind, str(name))
            if kind == "SubPipelines":
                yield from _walk(child, here, levels)
            elif child.get("model_name") and "api_type" not in child:
                yield ModuleSettings(".".join(here), child, levels)
                yield from _walk(child, here, levels)


def _family(engine: str) -> str:
    return "paddle" if engine.startswith("paddle") else engine
