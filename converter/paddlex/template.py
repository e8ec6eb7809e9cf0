"""Jinja2 for YAML: nothing undefined passes, and every inserted value is quoted as YAML."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from converter.resources import template_dir


def render_template(name: str, values: Mapping[str, object]) -> str:
    """Render ``templates/paddlex/<name>``; a variable that is not given is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_dir() / "paddlex"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # YAML, not HTML: values go through the ``yaml`` filter
    )
    environment.filters["yaml"] = yaml_scalar
    return environment.get_template(name).render(**values)


def yaml_scalar(value: object) -> str:
    """Write one value as YAML that fits on a line and reads back as the same value."""
    import yaml

    # Double quotes are the one style in which any string stays on its line: a path may hold
    # quotes, colons, '#', line breaks or Chinese.
    style = '"' if isinstance(value, str) else None
    text: str = yaml.safe_dump(
        value,
        default_style=style,
        default_flow_style=True,
        allow_unicode=True,
        width=sys.maxsize,
    )
    return text.removesuffix("\n").removesuffix("\n...")
