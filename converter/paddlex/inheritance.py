"""What PaddleX makes of ``engine``, ``engine_config``, ``use_hpip`` and ``hpi_config``.

A model of ``BasePipeline.create_model`` and ``create_pipeline``, compared with those of PaddleX
3.3.13, 3.5.0 and 3.7.2 on random configs, and of what PaddleOCR adds from 3.5 on. Rendered configs
are checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.paddlex.pipeline import Module
from converter.paddlex.targets import Target

#: The names of PaddleX 3.7's engines, which are the keys of an ``engine_config`` in buckets.
ENGINES = frozenset(
    {
        "paddle",
        "paddle_static",
        "paddle_dynamic",
        "hpi",
        "flexible",
        "transformers",
        "onnxruntime",
        "genai_client",
    }
)


@dataclass(frozen=True)
class Effective:
    """The four settings as they reach the code that loads the model.

    An empty ``engine_config`` is not the same as none: it wins over ``hpi_config`` all the same.
    """

    engine: str | None = None
    engine_config: Mapping[str, Any] | None = None
    use_hpip: bool = False
    hpi_config: Mapping[str, Any] = field(default_factory=dict)

    def runtime(self) -> tuple[str, Mapping[str, Any]]:
        """The engine that is used, and the options that it gets."""
        engine = self.engine or ("hpi" if self.use_hpip else "paddle")
        if self.engine_config is not None:
            if all(key in ENGINES for key in self.engine_config):
                return engine, _dict(self.engine_config.get(engine))
            return engine, self.engine_config
        return engine, self.hpi_config if engine == "hpi" else {}


def effective(module: Module, target: Target) -> Effective:
    """What reaches the module, its own settings included."""
    outermost, *inner = module.above
    now = Effective(
        _text(outermost, "engine"),
        _options(outermost),
        bool(outermost.get("use_hpip", False)),
        _dict(outermost.get("hpi_config")),
    )
    if not target.has_engine:
        now = Effective(use_hpip=now.use_hpip, hpi_config=now.hpi_config)
    elif target.wrapper == "paddleocr" and now.engine in (None, "paddle"):
        # PaddleOCR fills in the options of the engine that it thinks will run.
        now = Effective(
            now.engine,
            {"paddle_static": _dict((now.engine_config or {}).get("paddle_static"))},
            now.use_hpip,
            now.hpi_config,
        )
    for config in inner:
        now = _below(now, config, target, is_model=False)
    return _below(now, module.settings, target, is_model=True)


def _below(
    above: Effective, config: Mapping[str, Any], target: Target, *, is_model: bool
) -> Effective:
    use_hpip = bool(config.get("use_hpip", above.use_hpip))
    hpi_config = {**above.hpi_config, **_dict(config.get("hpi_config"))}
    if not target.has_engine:
        return Effective(use_hpip=use_hpip, hpi_config=hpi_config)
    engine, cut = above.engine, False
    if "engine" in config:
        engine = _text(config, "engine")
        cut = engine is None
    elif "use_hpip" in config:
        engine, cut = None, True
    inherited = None if cut else above.engine_config
    own = _options(config)
    if inherited is None:
        return Effective(engine, own, use_hpip, hpi_config)
    # A model's own options are merged into the inherited ones, a pipeline's are replaced by them.
    merged = {**inherited, **(own or {})} if is_model else inherited
    return Effective(engine, merged, use_hpip, hpi_config)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _options(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value = config.get("engine_config")
    return value if isinstance(value, dict) else None


def _text(config: Mapping[str, Any], key: str) -> str | None:
    value = config.get(key)
    return value if isinstance(value, str) else None
