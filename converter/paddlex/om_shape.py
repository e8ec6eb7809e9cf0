"""The one shape that an OM file takes, which must be the one that PaddleX feeds it.

PaddleX's OM runtime copies what it gets into the input buffer and compares nothing: a smaller
input runs on leftover data. A config that says another shape than atc was told is therefore an
error here, for it would be none later.
"""

from __future__ import annotations

from converter.errors import InputError
from converter.paddlex.modules import ConvertedModel

Shape = tuple[int, int, int]


def fed_shape(module: str, model: ConvertedModel, asked: Shape | None) -> Shape:
    """(channels, height, width) for a module that reads ``input_shape``.

    Raises ``InputError`` when nobody knows it, and when ``asked`` contradicts the OM file.
    """
    if asked is not None and min(asked) < 1:
        raise InputError(
            f"the shape {_text(asked)} of {module} is not channels,height,width",
            hint="give the shape the OM file was compiled for, without the batch: 3,48,320",
        )
    compiled = compiled_shape(model)
    if compiled is None and asked is None:
        raise InputError(
            f"it is not known what shape {model.name}/inference.om was compiled for",
            hint=f"give it without the batch: --shape {module}=C,H,W; "
            "or convert again with --soc, which records it",
        )
    if compiled and asked and compiled != asked:
        raise InputError(
            f"--shape {module}={_text(asked)}, but {model.name} was compiled for {_text(compiled)}",
            hint="leave out --shape, or convert again with --soc and "
            f"--shape {_input_name(model)}=1,{_text(asked)}",
        )
    shape = compiled or asked
    assert shape is not None
    return shape


def check_fixed_shape(module: str, model: ConvertedModel) -> None:
    """For a module that PaddleX feeds as ``inference.yml`` says, whatever the OM file takes."""
    compiled, fed = compiled_shape(model), model.image_shape
    if compiled and fed and compiled != fed:
        raise InputError(
            f"{model.name} was compiled for {_text(compiled)}, but PaddleX feeds {module} "
            f"{_text(fed)}",
            hint=f"convert again with --soc and --shape {_input_name(model)}=1,{_text(fed)}",
        )


def compiled_shape(model: ConvertedModel) -> Shape | None:
    """What the manifest says the OM file takes, without the batch; None when it does not say.

    Raises ``InputError`` for an OM file that no image fits.
    """
    if model.om_input_shape is None:
        return None
    try:
        _, _, dims = model.om_input_shape.rpartition(":")
        batch, channels, height, width = (int(dim) for dim in dims.split(","))
        fits = batch == 1 and min(channels, height, width) >= 1 and ";" not in model.om_input_shape
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            f"{model.name} was compiled for {model.om_input_shape}, but PaddleX feeds one image",
            hint="convert again with --soc and batch 1, for example --shape x=1,3,48,320",
        )
    return channels, height, width


def _input_name(model: ConvertedModel) -> str:
    return (model.om_input_shape or "x").rpartition(":")[0] or "x"


def _text(shape: Shape) -> str:
    return ",".join(map(str, shape))
