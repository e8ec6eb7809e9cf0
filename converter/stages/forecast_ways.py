"""What makes atc compile as a forecast asks: files and flags, each run again before it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from converter.accuracy.forecast.emulation import Rounded
from converter.atc.precision_files import (
    CUSTOMIZE_DTYPES,
    KEEP_DTYPE,
    MODIFY_MIXLIST,
    customize_dtypes_text,
    keep_dtype_text,
    modify_mixlist_text,
    unkeepable_types,
)
from converter.model.comparison import CaseComparison
from converter.model.forecast import EVERYTHING_FLOAT32, PrecisionWay
from converter.stages.job import Job

#: What the outputs are with these places in float32, on every set of inputs.
Judge = Callable[[Sequence[int]], tuple[CaseComparison, ...]]


def precision_ways(
    job: Job,
    operators: Sequence[Rounded],
    keep: Sequence[int],
    kept_cases: tuple[CaseComparison, ...],
    judge: Judge,
    stage: str,
) -> tuple[PrecisionWay, ...]:
    """The ways for a model that float16 breaks, the narrowest first; their files are added.

    ``keep`` are the places that have to stay in float32, which ``kept_cases`` verified.
    """
    ways: list[PrecisionWay] = []
    soc = job.options.compile.soc

    def add(name: str, text: str | None, flags: Sequence[str], places: Sequence[int]) -> None:
        if text is None:
            return
        cases = kept_cases if list(places) == list(keep) else judge(places)
        if not all(case.passed for case in cases):
            return
        file = job.work_dir / name
        file.write_text(text, encoding="utf-8")
        job.add_file(name, file, stage)
        ways.append(_way(flags, name, len(places), cases))

    kept = [operators[place] for place in keep]
    if kept and all(one.name for one in kept):
        assert job.onnx is not None
        add(KEEP_DTYPE, keep_dtype_text([one.name for one in kept]), ("--keep-dtype",), keep)
        customized = customize_dtypes_text(_dtypes(job.onnx, kept))
        add(CUSTOMIZE_DTYPES, customized, ("--customize-dtypes",), keep)
    if kept:
        # By type: other operators of these types stay in float32 as well.
        types = {one.op_type for one in kept}
        of_types = [place for place, one in enumerate(operators) if one.op_type in types]
        flags = ("--precision", "mixed_float16", "--modify-mixlist")
        add(MODIFY_MIXLIST, modify_mixlist_text(types), flags, of_types)
    if not unkeepable_types(soc):
        every = range(len(operators))
        ways.append(_way(EVERYTHING_FLOAT32, None, len(every), judge(every)))
    return tuple(ways)


def _way(
    flags: Sequence[str], file: str | None, float32: int, cases: tuple[CaseComparison, ...]
) -> PrecisionWay:
    worst = max((output.max_abs for case in cases for output in case.outputs), default=0.0)
    return PrecisionWay(
        flags=(*flags, *([file] if file else [])), file=file, float32=float32, max_abs=worst
    )


def _dtypes(onnx_file: Path, kept: Sequence[Rounded]) -> list[tuple[str, list[str], list[str]]]:
    """Names of operators with the dtypes of what they read and give; "" where it is not known."""
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load_model(str(onnx_file)))
    graph = model.graph
    known = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.output, *graph.value_info)
    }
    known |= {tensor.name: tensor.data_type for tensor in graph.initializer}

    def named(tensors: Sequence[str]) -> list[str]:
        types = [known.get(name, 0) for name in tensors if name]
        return [onnx.helper.tensor_dtype_to_np_dtype(t).name if t else "" for t in types]

    nodes = list(graph.node)
    return [
        (one.name, named(nodes[one.index].input), named(nodes[one.index].output)) for one in kept
    ]
