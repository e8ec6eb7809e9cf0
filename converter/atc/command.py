"""The atc command line for one ONNX model."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from converter.atc import external_weights
from converter.atc.check import check_flags, is_atc_path
from converter.atc.environment import DRIVER_LIBRARIES, SET_ENV_FILES
from converter.atc.flags import all_flags, refusal
from converter.atc.model_facts import ModelFacts
from converter.atc.profiles import ShapeFlags
from converter.resources import template_dir

__all__ = ["AtcCommand", "build_argv", "is_atc_path", "render_script"]

#: atc's number for ONNX.
_FRAMEWORK_ONNX = 5

#: Fields of ``AtcCommand`` that are not flags of the same name.
_NOT_FLAGS = ("shapes", "more", "cann")


@dataclass(frozen=True)
class AtcCommand:
    """One compilation: ``model`` and what to make of it, each field a flag of that name.

    ``shapes`` comes from ``profiles.fixed`` or ``profiles.from_profiles`` and may be left out for a
    model without dynamic inputs. ``more`` holds flags that have no field here. ``cann`` is the
    version of the toolkit that runs the command, if it is known.
    """

    model: str
    output: str
    soc_version: str
    shapes: ShapeFlags | None = None
    input_format: Literal["NCHW", "ND", "NCDHW"] | None = None
    precision_mode: str | None = None
    precision_mode_v2: str | None = None
    op_precision_mode: str | None = None
    keep_dtype: str | None = None
    customize_dtypes: str | None = None
    modify_mixlist: str | None = None
    insert_op_conf: str | None = None
    op_select_implmode: str | None = None
    optypelist_for_implmode: str | None = None
    output_type: str | None = None
    out_nodes: str | None = None
    host_env_os: str | None = None
    host_env_cpu: str | None = None
    log: Literal["debug", "info", "warning", "error", "null"] | None = None
    more: tuple[tuple[str, str], ...] = ()
    cann: str | None = None

    def flags(self) -> dict[str, str]:
        """Flag name -> text, not checked yet."""
        values = {"model": self.model, "framework": str(_FRAMEWORK_ONNX)}
        values |= {"output": self.output, "soc_version": self.soc_version}
        if self.shapes is not None:
            values |= self.shapes.as_flags()
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name not in _NOT_FLAGS and given is not None:
                values[field.name] = given
        for name, text in self.more:
            if name in values:
                raise refusal(f"--{name} is given twice", hint="keep one of them")
            values[name] = text
        return values

    def argv(
        self, *, model: ModelFacts | None = None, directory: Path | None = None
    ) -> tuple[str, ...]:
        """The argument list, beginning with ``atc``.

        Raises ``InputError`` for what atc would refuse; ``model`` and ``directory`` (where files
        named by flags are) make it look at more.
        """
        values = self.flags()
        check_flags(values, model=model, cann=self.cann, directory=directory)
        return ("atc", *(f"--{name}={text}" for name, text in values.items()))

    def advice(self) -> tuple[str, ...]:
        """What atc takes and the user should know."""
        values, flags = self.flags(), all_flags()
        notes = [
            f"--{name} is deprecated: {flags[name].meaning}"
            for name in values
            if name in flags and flags[name].status == "deprecated"
        ]
        keeps = values.get("precision_mode"), values.get("precision_mode_v2")
        if "keep_dtype" in values and {*keeps} & {"must_keep_origin_dtype", "origin"}:
            notes.append("--keep_dtype changes nothing: the precision mode keeps every dtype")
        profiles = values.get("dynamic_dims", "").strip(";").count(";") + 1
        if profiles > 4:
            notes.append(
                f"--dynamic_dims has {profiles} profiles; 3 or 4 are advised, and compile time "
                "grows with each"
            )
        return tuple(notes)


def build_argv(model: str, output: str, soc_version: str, input_shape: str) -> tuple[str, ...]:
    """The argument list for static shapes; ``output`` is without ``.om``, which atc adds itself."""
    return AtcCommand(model, output, soc_version, ShapeFlags(input_shape)).argv()


def render_script(
    name: str, argv: tuple[str, ...], onnx: str, om: str, files: tuple[str, ...] = ()
) -> str:
    """A bash script that compiles ``onnx`` where CANN is installed.

    The model and the ``files`` that ``argv`` names are in the script's own directory.
    """
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
        files=files,
        weights=external_weights.DIRECTORIES if external_weights.are_asked_for(argv) else (),
        set_env_files=[str(path) for path in SET_ENV_FILES],
        driver=str(DRIVER_LIBRARIES),
    )
