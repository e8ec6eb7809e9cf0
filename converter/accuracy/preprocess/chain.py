"""From an image file to a model's inputs, through the steps of its ``inference.yml``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from converter.accuracy.preprocess import lines, pixels, resizes
from converter.accuracy.preprocess.picture import Picture, Pixels, read_picture
from converter.errors import InputError
from converter.model.inference_yml import InferenceYml
from converter.model.tensor import TensorSpec

#: Steps that concern labels of a training set, or what a loader hands on.
_IGNORED = (
    "DecodeImage",
    "KeepKeys",
    "DetLabelEncode",
    "MultiLabelEncode",
    "CTCLabelEncode",
    "RecLabelEncode",
    "ClsLabelEncode",
    "SARLabelEncode",
    "NRTRLabelEncode",
)

_NO_STEPS = "give the inputs as .npz, with one array for each input"


def inputs_of_image(
    path: Path, yml: InferenceYml, specs: tuple[TensorSpec, ...]
) -> dict[str, Pixels]:
    """The inputs that PaddleX would feed for one image, batch 1.

    ``im_shape`` and ``scale_factor`` belong to the image as it is fed, (height, width) each. Raises
    ``InputError`` for an unreadable image, a step that is not known, and an input that the
    preprocessing does not make.
    """
    if not yml.steps:
        raise InputError(
            f"{path.name}: the model's inference.yml does not say how images are prepared",
            hint=_NO_STEPS,
        )
    picture = read_picture(path, yml.channel_order)
    for name, options in yml.steps:
        try:
            picture = _apply(picture, name, options, yml)
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
            raise InputError(
                f"{path.name}: the step {name} of the model's inference.yml cannot be carried out: "
                f"{type(error).__name__}: {error}",
                hint=f"correct its options, or {_NO_STEPS}",
            ) from error
    made: dict[str, Pixels] = {}
    for spec in specs:
        if spec.rank == 4:
            made[spec.name] = np.ascontiguousarray(picture.pixels[None], np.float32)
        elif spec.name == "im_shape":
            made[spec.name] = np.array([picture.size], np.float32)
        elif spec.name == "scale_factor":
            made[spec.name] = np.array([picture.scale], np.float32)
        else:
            raise InputError(f"{path.name}: an image does not give input {spec}", hint=_NO_STEPS)
    return made


def _apply(picture: Picture, name: str, options: object, yml: InferenceYml) -> Picture:
    given = options if isinstance(options, dict) else {}
    if name in ("NormalizeImage", "DetectionNormalizeImage"):
        if yml.normalisation is None:
            raise ValueError("its numbers cannot be read")
        return pixels.normalise(picture, yml.normalisation)
    if name == "DetResizeForTest":
        return resizes.text_detection(picture, given, yml.model_name)
    if name in ("ToCHWImage", "DetectionPermute"):
        return pixels.channels_first(picture)
    step = {
        "ResizeImage": resizes.classification,
        "DetectionResize": resizes.detection,
        "RecResizeImg": lines.recognition,
        "ClsResizeImg": lines.orientation,
        "CropImage": pixels.crop,
        "DetectionPad": pixels.pad,
        "DetectionPadStride": pixels.pad_to_stride,
    }.get(name)
    if step:
        return step(picture, given)
    if name in _IGNORED:
        return picture
    raise InputError(f"the preprocessing step {name} is not known here", hint=_NO_STEPS)
