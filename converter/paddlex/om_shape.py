"""The one shape that an OM file takes, which must be the one that PaddleX feeds it.

PaddleX's OM runtime copies what it gets into the input buffer and compares nothing: a smaller
input runs on leftover data. A config that says another shape than atc was told is therefore an
error here, for it would be none later.
"""

from __future__ import annotations

from converter.errors import InputError
from converter.model.roles import Role
from converter.paddlex.modules import ConvertedModel

Shape = tuple[int, int, int]
Inputs = dict[str, tuple[int, ...]]

#: What Paddle's detection models take beside the image.
_BESIDE_IMAGE = frozenset({"im_shape", "scale_factor"})

#: Models of these kinds take an image, and perhaps what detection models take beside it.
_IMAGE_ROLES: frozenset[Role] = frozenset(
    {
        "text_detection",
        "seal_text_detection",
        "text_recognition",
        "textline_orientation",
        "doc_orientation",
        "layout_detection",
        "table_classification",
        "table_cells_detection",
        "table_structure_recognition",
        "formula_recognition",
    }
)


def fed_shape(module: str, model: ConvertedModel, asked: Shape | None) -> Shape:
    """(channels, height, width) for a module that reads ``input_shape``.

    Raises ``InputError`` when nobody knows it, and when ``asked`` contradicts the OM file.
    """
    if asked is not None and min(asked) < 1:
        raise InputError(
            f"the shape {_text(asked)} of {module} is not channels,height,width",
            hint="give the shape the OM file was compiled for, without the batch: 3,48,320",
        )
    inputs = compiled_inputs(model)
    if inputs is not None and len(inputs) != 1:
        raise _unfed(model)
    compiled = _image(inputs, model) if inputs else None
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
            f"--shape {_image_name(model)}=1,{_text(asked)}",
        )
    shape = compiled or asked
    assert shape is not None
    return shape


def check_fixed_shape(module: str, model: ConvertedModel) -> None:
    """For a module that PaddleX feeds as ``inference.yml`` says, whatever the OM file takes.

    Raises ``InputError`` for an OM file of another size, or of another batch than 1.
    """
    inputs = compiled_inputs(model)
    if inputs is None or model.role not in _IMAGE_ROLES:
        return
    compiled, fed = _image(inputs, model), model.image_shape
    if fed and compiled[1:] != fed[1:]:  # the file does not say how many channels there are
        wanted = (compiled[0], *fed[1:])
        raise InputError(
            f"{model.name} was compiled for {_text(compiled)}, but PaddleX feeds {module} "
            f"{_text(wanted)}",
            hint=f"convert again with --soc and --shape {_image_name(model)}=1,{_text(wanted)}",
        )


def compiled_inputs(model: ConvertedModel) -> Inputs | None:
    """The OM file's inputs, batch included, in its order; None when nobody knows them.

    Raises ``InputError`` unless they have one size, and a batch of 1.
    """
    if model.om_input_shape is None:
        return None
    inputs: Inputs = {}
    try:
        for text in model.om_input_shape.split(";"):
            name, _, dims = text.rpartition(":")
            inputs[name] = tuple(int(dim) for dim in dims.split(","))
    except ValueError:
        raise _unfed(model) from None
    if not all(dims[0] == 1 and min(dims) >= 1 for dims in inputs.values()):
        raise _unfed(model)
    return inputs


def _image(inputs: Inputs, model: ConvertedModel) -> Shape:
    """The shape of the image among the inputs, without the batch. Raises ``InputError``."""
    images = [dims for name, dims in inputs.items() if name not in _BESIDE_IMAGE]
    if len(images) != 1 or len(images[0]) != 4:
        raise _unfed(model)
    _, channels, height, width = images[0]
    return channels, height, width


def _unfed(model: ConvertedModel) -> InputError:
    return InputError(
        f"{model.name} was compiled for {model.om_input_shape}, but PaddleX feeds one image",
        hint="convert again with --soc and batch 1, for example --shape x=1,3,48,320",
    )


def _image_name(model: ConvertedModel) -> str:
    names = [text.rpartition(":")[0] for text in (model.om_input_shape or "").split(";")]
    return next((name for name in names if name and name not in _BESIDE_IMAGE), "x")


def _text(shape: Shape) -> str:
    return ",".join(map(str, shape))
