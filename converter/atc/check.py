"""Checks an atc command before atc runs, in the order in which atc itself does.

Each refusal has atc's own code for the mistake in its text, so that the manual's page for it can be
found. Where the sources give no code, or where atc would take the flag and ignore it, the refusal
has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from converter.atc.check_model import check_against_model
from converter.atc.flags import Flag, all_flags, is_known, refusal
from converter.atc.model_facts import ModelFacts
from converter.atc.shape_text import PROFILE_FLAGS, check_profiles, check_shape_flags
from converter.atc.soc import check_soc_version
from converter.errors import InputError

#: Paths atc takes: letters, digits, ``. / _ -`` and common Chinese characters (E10001 otherwise).
_ATC_PATH = re.compile(r"[a-zA-Z0-9./_\-\u4e00-\u9fa5]+")

#: Flags whose values atc looks at later than all others, in this order around the shapes.
_VALUES_BEFORE_SHAPES = ("is_weight_clip", "precision_mode", "precision_mode_v2")
_VALUES_AFTER_SHAPES = (
    "save_original_model",
    "buffer_optimize",
    "enable_single_stream",
    "external_weight",
    "ac_parallel_enable",
    "tiling_schedule_optimize",
    "quant_dumpable",
    "host_env_os",
    "host_env_cpu",
    "allow_hf32",
)
_VALUES_LATE = (
    *_VALUES_BEFORE_SHAPES,
    *_VALUES_AFTER_SHAPES,
    "input_format",
    "op_select_implmode",
    "output_type",
    "enable_compress_weight",
)

_FILES_AFTER_SHAPES = ("insert_op_conf", "keep_dtype", "customize_dtypes", "modify_mixlist")

#: Chip families that compute in bfloat16, and the one with the 8-bit floats of the hif8 modes.
_BF16 = ("Ascend310B", "Ascend910B1", "Ascend910B2", "Ascend910B3", "Ascend910B4", "Ascend910_93")
_HIF8 = ("Ascend950",)


def is_atc_path(path: Path) -> bool:
    """Whether atc accepts files below ``path``; it looks at the real path."""
    return _ATC_PATH.fullmatch(str(path.resolve())) is not None


def check_flags(
    values: Mapping[str, str],
    *,
    model: ModelFacts | None = None,
    cann: str | None = None,
    directory: Path | None = None,
) -> None:
    """Raise ``InputError`` for the first mistake that atc would find in ``values``.

    ``values`` maps flag names without dashes to their text. ``model`` adds the checks that need the
    ONNX file's names, ``directory`` those that files named by flags exist (relative to it).
    """
    flags = all_flags()
    for name in values:
        if name not in flags:
            raise refusal(f"atc has no flag --{name} for ONNX models", hint="see atc --help")
        _check_known(flags[name], values[name], cann)
    for name in values:
        if name not in _VALUES_LATE:
            _check_value(flags[name], values[name])
    _check_job(values)
    _check_paths(values)
    _check_precision(values, directory)
    check_shape_flags(values)
    _check_after_shapes(values, directory, cann)
    _check_without_code(values)
    _check_soc(values["soc_version"])
    if model is not None:
        check_against_model(values, model)
    check_profiles(values, values["soc_version"])


def _check_known(flag: Flag, value: str, cann: str | None) -> None:
    since = "9.0" if flag.name == "mode" and value == "7" else flag.since
    if not is_known(since, cann):
        raise refusal(
            f"--{flag.name}{'=7' if flag.name == 'mode' else ''} came with CANN {since}; "
            f"{cann or 'an older atc'} ends with: unknown command line flag",
            hint="leave it out, or say which CANN the command is for",
            code="E19999",
        )


def _check_value(flag: Flag, value: str) -> None:
    code = flag.codes[0] if flag.codes else "E10001"
    if flag.status == "removed":
        raise refusal(f"--{flag.name} is gone: {flag.meaning}", hint="leave it out", code="E10001")
    if not value and flag.kind != "switch":
        code = "E10054" if flag.name in ("soc_version", "output", "model") else "E10001"
        raise refusal(f"--{flag.name} has no value", hint=f"it is: {flag.meaning}", code=code)
    if flag.kind == "integer" and not value.isdecimal():
        raise refusal(
            f"--{flag.name} takes a number, not {value!r}", hint="digits only", code="E10003"
        )
    if flag.values and value not in flag.values:
        raise refusal(
            f"--{flag.name} cannot be {value!r}",
            hint=f"it is one of {', '.join(flag.values)}",
            code=code,
        )


def _check_values(values: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if name in values:
            _check_value(all_flags()[name], values[name])


def _check_job(values: Mapping[str, str]) -> None:
    mode, soc = values.get("mode", "0"), values.get("soc_version", "")
    if mode == "6" and "framework" in values:
        raise refusal(
            "--framework does not go with --mode=6", hint="leave out --framework", code="E10057"
        )
    if mode not in ("0", "3", "7", "30"):
        raise refusal(f"--mode={mode} compiles nothing", hint="leave out --mode")
    if "framework" not in values:
        raise refusal("--framework is missing", hint="ONNX is --framework=5", code="E10007")
    if values["framework"] != "5":
        raise refusal("--framework is not ONNX's", hint="give --framework=5")
    if soc and (mode == "30") != soc.startswith("Ascend035"):
        raise refusal(
            f"--mode={mode} does not go with --soc_version={soc}",
            hint="--mode=30 is for Ascend035 chips, and they take no other",
            code="E10055",
        )
    _check_values(values, ("input_format",))
    for name in ("soc_version", "output", "model"):
        if not values.get(name):
            raise refusal(f"--{name} is missing", hint="atc cannot do without", code="E10054")


def _check_paths(values: Mapping[str, str]) -> None:
    named = [name for name in values if all_flags()[name].kind == "path"]
    for name in sorted(named, key=lambda name: (name != "model", name != "output")):
        if not _ATC_PATH.fullmatch(values[name]):
            raise refusal(
                f"--{name} has a character that atc does not take in paths: {values[name]!r}",
                hint="letters, digits, dot, slash, underscore, hyphen and Chinese characters only",
                code="E10001",
            )
        if name == "output" and values[name].endswith("/"):
            raise refusal(
                "--output ends with a slash", hint="name the file, without .om", code="E10022"
            )


def _check_precision(values: Mapping[str, str], directory: Path | None) -> None:
    _check_values(values, ("op_select_implmode",))
    _need(values, "optypelist_for_implmode", "op_select_implmode", code="E10001")
    _check_file(values, "op_precision_mode", directory)
    _check_values(values, _VALUES_BEFORE_SHAPES)
    _exclude(values, "precision_mode", "precision_mode_v2", code="E10056")
    mode = values.get("precision_mode_v2") or values.get("precision_mode") or ""
    if "modify_mixlist" in values and not mode.startswith(("allow_mix", "mixed_")):
        raise refusal(
            "--modify_mixlist needs a mixed --precision_mode or --precision_mode_v2",
            hint="give --precision_mode_v2=mixed_float16, or leave out --modify_mixlist",
            code="E10001",
        )


def _check_after_shapes(
    values: Mapping[str, str], directory: Path | None, cann: str | None
) -> None:
    _exclude(values, "insert_op_conf", "dynamic_dims", code="E10001")
    for name in _FILES_AFTER_SHAPES:
        old = name == "keep_dtype" and not is_known("9.0", cann)
        _check_file(values, name, directory, code="E10410" if old else "E10001")
    _check_values(values, ("enable_compress_weight",))
    if values.get("enable_compress_weight") == "true":
        _exclude(values, "enable_compress_weight", "compress_weight_conf", code="E10047")
    _check_values(values, _VALUES_AFTER_SHAPES)
    if "output_type" in values:
        _check_output_type(values["output_type"], values.get("out_nodes", ""))


def _check_output_type(text: str, out_nodes: str) -> None:
    flag = all_flags()["output_type"]
    if ":" not in text:
        _check_value(flag, text)
        return
    listed = {entry.strip() for entry in out_nodes.split(";")}
    for entry in filter(None, text.split(";")):
        node, _, dtype = entry.strip().rpartition(":")
        _check_value(flag, dtype)
        if node not in listed:
            raise refusal(
                f"--output_type names {node!r}, which --out_nodes does not list",
                hint="list the same node:index in both",
                code="E10001",
            )


def _check_file(
    values: Mapping[str, str], name: str, directory: Path | None, code: str = "E10001"
) -> None:
    if name in values and directory is not None and not (directory / values[name]).is_file():
        raise refusal(f"--{name}: {values[name]} is not a file", hint="check the path", code=code)


def _need(values: Mapping[str, str], name: str, other: str, code: str | None = None) -> None:
    if name in values and other not in values:
        raise refusal(f"--{name} needs --{other}", hint=f"give --{other} too", code=code)


def _exclude(values: Mapping[str, str], name: str, other: str, code: str | None = None) -> None:
    if name in values and other in values:
        raise refusal(
            f"--{name} and --{other} exclude each other", hint="keep one of them", code=code
        )


def _check_without_code(values: Mapping[str, str]) -> None:
    """What the manual rules out, or what would have no effect, without a code of atc's."""
    soc = values["soc_version"]
    for name in PROFILE_FLAGS:
        _exclude(values, "input_hint_shape", name)
    if values.get("enable_single_stream") == "true":
        _exclude(values, "enable_single_stream", "multi_stream_parallel_mode")
    _need(values, "is_input_adjust_hw_layout", "input_fp16_nodes")
    _need(values, "is_output_adjust_hw_layout", "out_nodes")
    for name in ("dynamic_image_size", "insert_op_conf"):
        layout = values.get("input_format", "NCHW")
        if name in values and layout != "NCHW":
            raise refusal(
                f"--{name} and --input_format={layout} exclude each other",
                hint="give --input_format=NCHW",
            )
    for name in ("precision_mode", "precision_mode_v2"):
        mode = values.get(name, "")
        wants = _HIF8 if "hif8" in mode else (*_BF16, *_HIF8) if "bf" in mode else ()
        if wants and not soc.startswith(wants):
            raise refusal(
                f"--{name}={mode} is not for --soc_version={soc}",
                hint="use float16, or keep the model's own dtypes (origin)",
            )
    text = values.get("input_shape", "")
    unbound = "~" in text or "input_shape_range" in values
    unbound |= bool(re.search(r"[:,]\s*-1", text)) and not any(n in values for n in PROFILE_FLAGS)
    if unbound and (soc == "Ascend310" or soc.startswith("Ascend310B")):
        raise refusal(
            f"{soc} runs no dynamic shapes: -1 and ranges in --input_shape need another chip",
            hint="give one shape, or shape profiles",
        )


def _check_soc(soc: str) -> None:
    try:
        check_soc_version(soc)
    except InputError as error:
        raise refusal(f"--soc_version: {error.message}", hint=error.hint, code="E20101") from None
