"""Every normalisation layer, and the norms of tensors."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32

family = Family("norms", __file__)

image = f32("x", (2, 8, 6, 5), (3, 8, 4, 7))
line = f32("x", (2, 8, 6), (3, 8, 9))
volume = f32("x", (2, 8, 3, 4, 5), (1, 8, 2, 6, 4))
tokens = f32("x", (2, 5, 8), (3, 9, 8))


def shaken(layer: nn.Layer) -> nn.Layer:
    """Random weights and statistics: ones and zeros would hide what is left out."""
    for parameter in layer.parameters():
        parameter.set_value(paddle.uniform(parameter.shape, min=0.5, max=1.5))
    for name, buffer in layer.named_buffers():
        low, high = (0.5, 2.0) if "variance" in name else (-1.0, 1.0)
        buffer.set_value(paddle.uniform(buffer.shape, min=low, max=high))
    return layer


family.layer("batch_norm_1d", lambda: shaken(nn.BatchNorm1D(8)), line)
family.layer("batch_norm_1d_rank2", lambda: shaken(nn.BatchNorm1D(8)), f32("x", (2, 8), (5, 8)))
family.layer("batch_norm_2d", lambda: shaken(nn.BatchNorm2D(8)), image, static=True)
family.layer("batch_norm_3d", lambda: shaken(nn.BatchNorm3D(8)), volume)
family.layer("batch_norm_eps", lambda: shaken(nn.BatchNorm2D(8, epsilon=0.1)), image)
family.layer(
    "batch_norm_nhwc",
    lambda: shaken(nn.BatchNorm2D(5, data_format="NHWC")),
    f32("x", (2, 4, 6, 5), (3, 7, 2, 5)),
)
family.layer(
    "batch_norm_no_affine",
    lambda: shaken(nn.BatchNorm2D(8, weight_attr=False, bias_attr=False)),
    image,
)
family.layer("instance_norm_1d", lambda: shaken(nn.InstanceNorm1D(8)), line)
family.layer("instance_norm_2d", lambda: shaken(nn.InstanceNorm2D(8)), image, static=True)
family.layer("instance_norm_3d", lambda: shaken(nn.InstanceNorm3D(8)), volume)
family.layer(
    "instance_norm_no_affine",
    lambda: nn.InstanceNorm2D(8, weight_attr=False, bias_attr=False),
    image,
)
family.layer("instance_norm_eps", lambda: shaken(nn.InstanceNorm2D(8, epsilon=0.1)), image)
family.layer("group_norm", lambda: shaken(nn.GroupNorm(4, 8)), image, static=True)
family.layer("group_norm_eps", lambda: shaken(nn.GroupNorm(2, 8, epsilon=0.05)), image)
family.layer("group_norm_one", lambda: shaken(nn.GroupNorm(1, 8)), image)
family.layer("group_norm_rank3", lambda: shaken(nn.GroupNorm(4, 8)), line)
family.layer("group_norm_rank5", lambda: shaken(nn.GroupNorm(4, 8)), volume)
family.layer(
    "group_norm_nhwc",
    lambda: shaken(nn.GroupNorm(2, 8, data_format="NHWC")),
    f32("x", (2, 4, 6, 8), (3, 7, 2, 8)),
)
family.layer(
    "group_norm_no_affine", lambda: nn.GroupNorm(2, 8, weight_attr=False, bias_attr=False), image
)
family.layer("layer_norm", lambda: shaken(nn.LayerNorm(8)), tokens, static=True)
family.layer("layer_norm_eps", lambda: shaken(nn.LayerNorm(8, epsilon=0.001)), tokens)
family.layer(
    "layer_norm_two_dims",
    lambda: shaken(nn.LayerNorm([4, 8])),
    f32("x", (2, 4, 8), (5, 4, 8)),
    static=True,
)
family.layer(
    "layer_norm_three_dims",
    lambda: shaken(nn.LayerNorm([3, 4, 5])),
    f32("x", (2, 3, 4, 5), (3, 3, 4, 5)),
)
family.layer(
    "layer_norm_no_affine", lambda: nn.LayerNorm(8, weight_attr=False, bias_attr=False), tokens
)
family.layer("layer_norm_no_bias", lambda: shaken(nn.LayerNorm(8, bias_attr=False)), tokens)
family.layer("layer_norm_rank2", lambda: shaken(nn.LayerNorm(8)), f32("x", (2, 8), (5, 8)))
family.layer("local_response_norm", lambda: nn.LocalResponseNorm(3), f32("x", (2, 8, 6, 5)))
family.layer(
    "local_response_norm_5", lambda: nn.LocalResponseNorm(5, 1e-2, 0.6, 2.0), f32("x", (2, 8, 6, 5))
)
family.layer("rms_norm_composed", lambda: RmsNorm(8), tokens)
family.layer(
    "spectral_norm", lambda: nn.SpectralNorm([4, 6], dim=0, power_iters=2), f32("x", (4, 6))
)


class RmsNorm(nn.Layer):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = self.create_parameter(
            [width], default_initializer=nn.initializer.Uniform(0.5, 1.5)
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x * paddle.rsqrt(paddle.mean(x * x, axis=-1, keepdim=True) + 1e-6) * self.weight


family.case("normalize", lambda x: F.normalize(x), image)
family.case("normalize_p1", lambda x: F.normalize(x, p=1, axis=-1), tokens)
family.case("normalize_p3", lambda x: F.normalize(x, p=3, axis=1), tokens)
family.case(
    "normalize_zero_rows", lambda x: F.normalize(F.relu(x - 9.0), axis=-1), tokens, weak=True
)

for p, label in (
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (0.5, "half"),
    (float("inf"), "inf"),
    (float("-inf"), "minus_inf"),
):
    family.case(
        f"p_norm_{label}", lambda x, p=p: paddle.linalg.vector_norm(x, p=p, axis=-1), tokens
    )
    family.case(
        f"p_norm_{label}_keepdim", lambda x, p=p: paddle.norm(x, p=p, axis=1, keepdim=True), tokens
    )
family.case("p_norm_all", lambda x: paddle.norm(x, p=2), tokens)
family.case("p_norm_inf_all", lambda x: paddle.norm(x, p=float("inf")), tokens)
family.case("p_norm_all_static", lambda x: paddle.norm(x, p=3), f32("x", (2, 5, 8)))
family.case("fro_norm", lambda x: paddle.norm(x, p="fro"), tokens)
family.case("fro_norm_axes", lambda x: paddle.norm(x, p="fro", axis=[1, 2]), tokens)
family.case(
    "fro_norm_axes_keepdim", lambda x: paddle.norm(x, p="fro", axis=[-2, -1], keepdim=True), tokens
)
family.case("matrix_norm_one", lambda x: paddle.linalg.matrix_norm(x, p=1, axis=[-2, -1]), tokens)
family.case("dist_2", lambda x, y: paddle.dist(x, y, p=2), tokens, f32("y", (2, 5, 8), (3, 9, 8)))
family.case(
    "dist_inf",
    lambda x, y: paddle.dist(x, y, p=float("inf")),
    tokens,
    f32("y", (2, 5, 8), (3, 9, 8)),
)
family.case("dist_0", lambda x, y: paddle.dist(x, y, p=0), tokens, f32("y", (2, 5, 8), (3, 9, 8)))
family.case(
    "cdist",
    lambda x, y: paddle.cdist(x, y),
    f32("x", (2, 4, 3), (1, 5, 3)),
    f32("y", (2, 6, 3), (1, 2, 3)),
)
family.case("pdist", lambda x: paddle.pdist(x), f32("x", (4, 3)))
family.case(
    "pairwise_distance",
    lambda x, y: F.pairwise_distance(x, y),
    f32("x", (4, 3), (2, 3)),
    f32("y", (4, 3), (2, 3)),
)
family.case(
    "cosine_similarity",
    lambda x, y: F.cosine_similarity(x, y, axis=1),
    f32("x", (4, 3), (2, 3)),
    f32("y", (4, 3), (2, 3)),
)
family.case("renorm", lambda x: paddle.renorm(x, 2.0, 0, 1.5), f32("x", (4, 3, 5)))
family.case("p_norm_0", lambda x: paddle.linalg.vector_norm(F.relu(x), p=0, axis=-1), tokens)
family.case("p_norm_0_keepdim", lambda x: paddle.norm(F.relu(x), p=0, axis=1, keepdim=True), tokens)
