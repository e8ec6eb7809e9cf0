"""Part of the atc simulator: what it prints, for the templates of CANN 8.1 and 9.2.

The sentences are this project's; codes, titles, arguments and layout are atc's.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

TABLES = json.loads(Path(__file__).with_name("atc_simulator.json").read_text(encoding="utf-8"))

START = "ATC start working now, please wait for a moment."
SUCCESS = "ATC run success, welcome to the next use."
FAILURE = "ATC run failed, Please check the detail log, Try 'atc --help' for more information"

_SENTENCES = {
    "E10001": "Value {value} for parameter {parameter} is invalid. Reason: {reason}",
    "E10002": "Shape {shape} of input_shape is invalid. Reason: {reason}. Write it like {sample}",
    "E10003": "Value {value} for parameter {parameter} is invalid. Reason: {reason}",
    "E10004": "Parameter {parameter} is empty and must not be",
    "E10009": "[--dynamic_batch_size], [--dynamic_image_size], [--input_shape_range], and "
    "[--dynamic_dims] are mutually exclusive.",
    "E10016": "Opname {opname} specified in {parameter} is not found in the model",
    "E10040": "The input_shape of a model with profiles must have -1 axes and cannot have '~'",
    "E16002": "No parser is registered for Op of type {optype}.",
    "E16005": "The model has {domain_version_size} domain_version fields, but only one is allowed.",
    "E19010": "No parser is registered for Op [{opname}, optype [{optype}]].",
    "E20101": "Value {value} for parameter {parameter} is invalid. Reason: {reason}",
}


class AtcFailure(Exception):
    """A failure with atc's code and the arguments of its text."""

    def __init__(self, code: str, **arguments: object) -> None:
        super().__init__(code)
        self.code = code
        self.arguments = {name: str(value) for name, value in arguments.items()}


def template_set(cann: str) -> str:
    """The name of the tables for a CANN version."""
    return "v9_2" if int(cann.split(".")[0]) >= 9 else "v8_1"


def error_block(failure: AtcFailure, cann: str) -> str:
    """The lines below the failure line."""
    version = template_set(cann)
    bracket = "{}" if version == "v9_2" or failure.code == "E19010" else "[{}]"
    values = {name: bracket.format(value) for name, value in failure.arguments.items()}
    sentence = _SENTENCES.get(failure.code)
    if sentence is not None:
        text = sentence.format_map(values)
    else:
        text = "Refused: " + ", ".join(f"{name} {value}" for name, value in values.items())
    entry = TABLES["errors"].get(failure.code, {}).get(version)
    title = entry["title"] if entry else "Failure"
    mark = f"[PID: {os.getpid()}] {time.strftime('%Y-%m-%d-%H:%M:%S')}.123.456"
    if version == "v9_2":
        return (
            f"{mark} {title}({failure.code}): {text}\n"
            "        Possible Cause: simulated.\n        Solution: simulated.\n"
        )
    return (
        f"{failure.code}: {mark} {text}\n        Solution: simulated.\n"
        "        TraceBack (most recent call last):\n"
        f"        {title}[FUNC:Simulated][FILE:atc_simulator.py][LINE:1]\n"
    )


UNKNOWN_ERROR = (
    "E19999: Internal Error!\n        An unknown error occurred. Please check the log.\n"
)
