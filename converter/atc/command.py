"""The atc command line for one ONNX model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from converter.atc.environment import DRIVER_LIBRARIES, SET_ENV_FILES
from converter.resources import template_dir

#: atc's number for ONNX.
_FRAMEWORK_ONNX = 5


#: Paths atc takes: letters, digits, ``. / _ -`` and common Chinese characters (E10001 otherwise).
_ATC_PATH = re.compile(r"[a-zA-Z0-9./_\-\u4e00-\u9fa5]+")


def is_atc_path(path: Path) -> bool:
    """Whether atc accepts files below ``path``; it looks at the real path."""
    return _ATC_PATH.fullmatch(str(path.resolve())) is not None


def build_argv(model: str, output: str, soc_version: str, input_shape: str) -> tuple[str, ...]:
    """The argument list; ``output`` is without ``.om``, which atc adds itself."""
    return (
        "atc",
        f"--model={model}",
        f"--framework={_FRAMEWORK_ONNX}",
        f"--output={output}",
        f"--soc_version={soc_version}",
        f"--input_shape={input_shape}",
    )


def render_script(name: str, argv: tuple[str, ...], onnx: str, om: str) -> str:
    """A bash script that compiles ``onnx`` (in its own directory) where CANN is installed."""
    environment = Environment(
        loader=FileSystemLoader(template_dir()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # shell, not HTML: every value is quoted by the filter below
    )
    environment.filters["quote"] = shlex.quote
    return environment.get_template("atc.sh.j2").render(
        name=name,
        argv=argv,
        onnx=onnx,
        om=om,
        set_env_files=[str(path) for path in SET_ENV_FILES],
        driver=str(DRIVER_LIBRARIES),
    )
