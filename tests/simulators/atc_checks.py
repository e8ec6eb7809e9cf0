"""Part of the atc simulator: checks of flags, in the order that CANN 9.2 documents.

Written from the published facts and apart from ``converter.atc``: tests compare the two.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.simulators.atc_screen import TABLES, AtcFailure

PROFILES = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")

#: Values that are looked at where the flag is used instead of while reading the command line.
_LATE = {
    "input_format", "op_select_implmode", "is_weight_clip", "precision_mode", "precision_mode_v2",
    "save_original_model", "buffer_optimize", "enable_single_stream", "external_weight",
    "ac_parallel_enable", "tiling_schedule_optimize", "quant_dumpable", "host_env_os",
    "host_env_cpu", "allow_hf32", "output_type", "enable_compress_weight",
}  # fmt: skip
_FREE = {"multi_stream_parallel_mode"}
_ALLOWED = re.compile(r"[a-zA-Z0-9./_\-一-龥]+")


def invalid(parameter: str, value: str, reason: str, code: str = "E10001") -> AtcFailure:
    return AtcFailure(code, value=value, parameter=f"--{parameter}", reason=reason)


def check_range(flag: str, value: str) -> None:
    """A value outside the flag's list, or no number where one is wanted."""
    entry = TABLES["flags"][flag]
    if entry["type"] == "int32" and not re.fullmatch(r"[0-9]+", value):
        raise invalid(flag, value, "The value type must be [int32].", "E10003")
    if not entry["values"] or flag in _FREE or value in entry["values"]:
        return
    code = re.match(r"E\d+|", entry["error"] or "")[0] or "E10001"
    reason = f"The valid range is {entry['values']}"
    if code == "E10007":
        raise AtcFailure(code, parameter="framework", support="0, 1, 3 or 5(Onnx)")
    if code == "E10010":
        raise AtcFailure(code, loglevel=value)
    raise invalid(flag, value, reason, code)


def check_ranges(values: dict[str, str]) -> None:
    for flag, value in values.items():
        if flag not in _LATE:
            check_range(flag, value)


def check_flags(values: dict[str, str], cann: str) -> None:
    """Everything before the graph engine starts."""
    if "auto_tune_mode" in values:
        raise invalid("auto_tune_mode", values["auto_tune_mode"], "use the AOE tool")
    mode, soc = values.get("mode", "0"), values.get("soc_version", "")
    if mode == "6" and "framework" in values:
        raise AtcFailure("E10057", parameter0="--framework", parameter1="--mode=6")
    if "framework" not in values:
        raise AtcFailure("E10007", parameter="framework", support="0, 1, 3 or 5(Onnx)")
    if soc and soc.startswith("Ascend035") != (mode == "30"):
        raise AtcFailure("E10055", reason=f"mode {mode} with {soc}")
    _late(values, "input_format")
    for flag in ("soc_version", "output", "model"):
        if not values.get(flag):
            raise AtcFailure("E10054", parameter=f"--{flag}")
    model = Path(values["model"])
    if not _ALLOWED.fullmatch(str(model)) or not _ALLOWED.fullmatch(str(model.resolve())):
        raise invalid("model", str(model), "The path can only contain the usual characters.")
    if not model.exists():
        raise invalid("model", str(model), "No such file or directory")
    if not _ALLOWED.fullmatch(values["output"]):
        raise invalid("output", values["output"], "The path can only contain the usual characters.")
    if values["output"].endswith("/"):
        raise AtcFailure("E10022", filename=values["output"], parameter="--output")
    if "optypelist_for_implmode" in values and "op_select_implmode" not in values:
        raise invalid("op_select_implmode", "", "it is needed")
    _late(values, "op_select_implmode")
    _file(values, "op_precision_mode")
    _late(values, "is_weight_clip", "precision_mode", "precision_mode_v2")
    if "precision_mode" in values and "precision_mode_v2" in values:
        raise AtcFailure("E10056", parameter1="--precision_mode", parameter2="--precision_mode_v2")
    if "modify_mixlist" in values:
        modes = (values.get("precision_mode", ""), values.get("precision_mode_v2", ""))
        if not any(m.startswith(("allow_mix_", "mixed_")) for m in modes):
            raise invalid("modify_mixlist", values["modify_mixlist"], "no mixed precision")
    _check_shapes(values)
    if "insert_op_conf" in values and "dynamic_dims" in values:
        raise invalid("insert_op_conf", values["insert_op_conf"], "not with dynamic_dims")
    _file(values, "insert_op_conf")
    if "keep_dtype" in values and not Path(values["keep_dtype"]).is_file():
        if int(cann.split(".")[0]) < 9:
            raise AtcFailure("E10410", cfgpath=values["keep_dtype"])
        _file(values, "keep_dtype")
    _file(values, "customize_dtypes")
    _file(values, "modify_mixlist")
    _late(values, "enable_compress_weight")
    if values.get("enable_compress_weight") == "true" and "compress_weight_conf" in values:
        raise AtcFailure(
            "E10047", parameter0="enable_compress_weight", parameter1="compress_weight_conf"
        )
    _late(values, "save_original_model", "buffer_optimize", "enable_single_stream")
    _late(values, "external_weight", "ac_parallel_enable", "tiling_schedule_optimize")
    _late(values, "quant_dumpable", "host_env_os", "host_env_cpu", "allow_hf32")
    nodes = values.get("out_nodes", "").split(";")
    for entry in values.get("output_type", "FP32").split(";"):
        node, _, dtype = entry.rpartition(":")
        check_range("output_type", dtype)
        if node and node not in nodes:
            raise invalid("output_type", entry, "the node is not in out_nodes")


def _late(values: dict[str, str], *flags: str) -> None:
    for flag in flags:
        if flag in values:
            check_range(flag, values[flag])


def _file(values: dict[str, str], flag: str) -> None:
    if flag in values and not Path(values[flag]).is_file():
        raise invalid(flag, values[flag], "No such file or directory")


def read_shapes(text: str) -> dict[str, list[str]]:
    """``x:1,-1,3~4;s:`` -> axes as text, checked."""
    shapes = {}
    for entry in text.rstrip(";").split(";"):
        if ":" not in entry:
            raise AtcFailure(
                "E10002", shape=entry, reason="it has a name and a value", sample="x:n,c,h,w"
            )
        name, _, dims = entry.rpartition(":")
        axes = [axis.strip() for axis in dims.split(",")] if dims.strip() else []
        for axis in axes:
            for number in axis.split("~"):
                if not re.fullmatch(r"-?[0-9]+", number):
                    raise AtcFailure(
                        "E10002", shape=entry, reason="not a number", sample="x:n,c,h,w"
                    )
                if int(number) >= 2**63:
                    raise AtcFailure("E10013", value=number, parameter="--input_shape")
            if "~" not in axis and int(axis) != -1 and int(axis) <= 0:
                raise AtcFailure("E10011", shape=entry, result=axis)
        shapes[name.strip()] = axes
    return shapes


def _check_shapes(values: dict[str, str]) -> None:
    asked = [flag for flag in PROFILES if flag in values]
    text = values.get("input_shape", "")
    if asked and "~" in text:
        raise AtcFailure("E10040")
    if len(asked) + ("input_shape_range" in values) > 1:
        raise AtcFailure("E10009")
    if asked and not text:
        raise AtcFailure("E10004", parameter="input_shape")
    if "input_shape_range" in values:
        shape_range = values["input_shape_range"]
        for entry in shape_range.rstrip(";").split(";"):
            if not re.fullmatch(r"[^:]+:\[[0-9~, -]*\]", entry):
                raise AtcFailure(
                    "E10048", shape_range=shape_range, reason="form", sample="x:[1~8,3]"
                )
        return
    if not text:
        return
    shapes = read_shapes(text)
    if asked:
        holes = {n: [i for i, a in enumerate(s) if a == "-1"] for n, s in shapes.items()}
        globals()[f"_{asked[0]}"](values[asked[0]], shapes, holes)


def _dynamic_batch_size(
    text: str, shapes: dict[str, list[str]], holes: dict[str, list[int]]
) -> None:
    if not set(text) <= set("0123456789,- "):
        raise invalid("dynamic_batch_size", text, "digits and commas", "E10003")
    if all(not shape for shape in shapes.values()):
        raise AtcFailure("E10012")
    for name, where in holes.items():
        if [axis for axis in where if axis != 0]:
            raise AtcFailure("E10018", shape=name, index=where[-1])
    if not any(holes.values()):
        raise AtcFailure("E10031")


def _dynamic_image_size(
    text: str, shapes: dict[str, list[str]], holes: dict[str, list[int]]
) -> None:
    if not set(text) <= set("0123456789,;- "):
        raise invalid("dynamic_image_size", text, "digits, commas, semicolons", "E10003")
    wrong = [n for n, where in holes.items() if where and (where != [2, 3] or len(shapes[n]) != 4)]
    if wrong or not any(holes.values()):
        raise AtcFailure("E10019")
    if any(pair.count(",") != 1 for pair in text.rstrip(";").split(";")):
        raise AtcFailure("E10020", dynamic_image_size=text)


def _dynamic_dims(text: str, shapes: dict[str, list[str]], holes: dict[str, list[int]]) -> None:
    count = sum(map(len, holes.values()))
    if count == 0:
        raise invalid("input_shape", str(shapes), "At least one dim should be -1")
    if not set(text) <= set("0123456789,;- "):
        raise invalid("dynamic_dims", text, "digits, commas, semicolons")
    if any(row.count(",") + 1 != count for row in text.rstrip(";").split(";")):
        raise invalid("dynamic_dims", text, "one value per -1 of the input shape", "E10003")


def check_profiles(values: dict[str, str], cann: str) -> None:
    """The last look at profiles, with the graph loaded. 9.2 does not count to 100."""
    for flag in PROFILES:
        if flag in values:
            by = "," if flag == "dynamic_batch_size" else ";"
            rows = [row.split(",") for row in values[flag].rstrip(by).split(by)]
            if len(rows) < 2:
                raise AtcFailure("E10035", shapesize=len(rows), minshapesize=2)
            most = 256 if values["soc_version"].startswith("Ascend950") else 100
            if int(cann.split(".")[0]) < 9 and len(rows) > most:
                raise AtcFailure("E10036", shapesize=len(rows), maxshapesize=most)
            for row in rows:
                for number in row:
                    if not number.strip().isdigit() or int(number) == 0:
                        raise AtcFailure("E10038", dim=number)
            numbers = [tuple(int(number) for number in row) for row in rows]
            if len(set(numbers)) != len(numbers):
                raise AtcFailure("E10039")
