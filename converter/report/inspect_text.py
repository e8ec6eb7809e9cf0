"""The text of ``paddle2om inspect``."""

from __future__ import annotations

from converter.model.result import InspectFacts
from converter.report import format as fmt


def inspect_text(facts: InspectFacts) -> str:
    """What a Paddle model directory holds, in lines for people."""
    version = f", saved by Paddle {facts.paddle_version}" if facts.paddle_version else ""
    lines = [
        f"model       {facts.model_name or '(no inference.yml)'}",
        f"format      {facts.format}{version}",
        f"program     {facts.program_file}",
        f"parameters  {facts.params_file or 'none'}: "
        f"{fmt.count(facts.parameter_count, 'tensor')}, {fmt.size(facts.parameter_bytes)}",
    ]
    lines += [f"input       {spec}" for spec in facts.inputs]
    lines += [f"output      {spec}" for spec in facts.outputs]
    for name, hint in facts.shape_hints.items():
        shapes = "  ".join(
            f"{kind} {fmt.shape(shape)}"
            for kind, shape in (("min", hint.min), ("opt", hint.opt), ("max", hint.max))
        )
        lines.append(f"shapes      {name}: {shapes}")
    counted = sorted(facts.operators.items(), key=lambda item: (-item[1], item[0]))
    lines.append(f"operators   {fmt.integer(sum(facts.operators.values()))}")
    lines += [f"  {count:6}  {name}" for name, count in counted]
    return "\n".join(lines)
