"""Builds stand-ins for the models of doc_preprocessor: ``python document_models.py DIR``.

Their names and inference.yml are those of PaddleX's models, their networks are small and their
weights seeded, not trained: what they answer means nothing, and is the same every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paddle
from paddle import nn

ORIENTATION = """Global: {model_name: PP-LCNet_x1_0_doc_ori}
PreProcess:
  transform_ops:
  - ResizeImage: {resize_short: 256}
  - CropImage: {size: 224}
  - NormalizeImage:
      channel_num: 3
      mean: [0.485, 0.456, 0.406]
      order: ''
      scale: 0.00392156862745098
      std: [0.229, 0.224, 0.225]
  - ToCHWImage: null
PostProcess:
  Topk: {topk: 1, label_list: ['0', '90', '180', '270']}
"""
UNWARPING = "Global: {model_name: UVDoc}\n"


class Orientation(nn.Layer):
    """Four angles from coarse columns and rows, so that a turned page gets another answer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 8, 7, stride=4, padding=3)
        self.pool = nn.AdaptiveAvgPool2D(4)
        self.head = nn.Linear(8 * 16, 4)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, 3, 224, 224) -> (N, 4), probabilities."""
        y = nn.functional.relu(self.conv(x))
        return nn.functional.softmax(self.head(paddle.flatten(self.pool(y), 1)), axis=1)


class Unwarping(nn.Layer):
    """A page of any size, blurred and coloured."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 3, 5, padding=2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, 3, H, W) -> (N, 3, H, W), between 0 and 1."""
        return nn.functional.sigmoid(4 * self.conv(x))


def main(directory: Path) -> None:
    """Write both model directories."""
    paddle.seed(20250101)
    for name, model, shape, yml, graph_input in (
        ("PP-LCNet_x1_0_doc_ori", Orientation(), [-1, 3, 224, 224], ORIENTATION, "x"),
        ("UVDoc", Unwarping(), [-1, 3, -1, -1], UNWARPING, "img"),
    ):
        spec = [paddle.static.InputSpec(shape, "float32", graph_input)]
        paddle.jit.save(model, str(directory / name / "inference"), input_spec=spec)
        (directory / name / "inference.yml").write_text(yml)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
