"""Blocks of vision models: attention over channels, pyramids, heads, normalised inputs."""

import paddle
from paddle import nn
from paddle.nn import functional as F

from tests.matrix.case import Family, f32, u8

family = Family("vision_layers", __file__)

image = f32("x", (2, 8, 12, 10), (1, 8, 8, 14))


class SqueezeExcite(nn.Layer):
    def __init__(self, how: str = "sigmoid"):
        super().__init__()
        self.one, self.two, self.how = nn.Conv2D(8, 4, 1), nn.Conv2D(4, 8, 1), how

    def forward(self, x):
        y = F.relu(self.one(F.adaptive_avg_pool2d(x, 1)))
        gate = (
            F.hardsigmoid(self.two(y), 0.2, 0.5) if self.how == "hard" else F.sigmoid(self.two(y))
        )
        return x * gate


class ConvBn(nn.Layer):
    def __init__(self, activation, groups: int = 1, kernel: int = 3):
        super().__init__()
        self.conv = nn.Conv2D(8, 8, kernel, padding=kernel // 2, groups=groups, bias_attr=False)
        self.norm, self.activation = nn.BatchNorm2D(8), activation

    def forward(self, x):
        return self.activation(self.norm(self.conv(x)))


class Pyramid(nn.Layer):
    """A feature pyramid: strided convolutions, upsampled to the finer size and added."""

    def __init__(self, exact: bool):
        super().__init__()
        self.down1, self.down2 = nn.Conv2D(8, 8, 3, 2, 1), nn.Conv2D(8, 8, 3, 2, 1)
        self.exact = exact

    def forward(self, x):
        fine = self.down1(x)
        coarse = self.down2(fine)
        if self.exact:
            return fine + F.interpolate(coarse, paddle.shape(fine)[2:], mode="bilinear")
        return fine + F.interpolate(coarse, scale_factor=2, mode="nearest")


class SpatialPyramid(nn.Layer):
    def forward(self, x):
        pooled = [F.max_pool2d(x, k, 1, k // 2) for k in (3, 5, 7)]
        return paddle.concat([x, *pooled], 1)


class PyramidPooling(nn.Layer):
    """PP-LiteSeg's and PSPNet's: adaptive pools that are resized back."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(8, 8, 1)

    def forward(self, x):
        size = paddle.shape(x)[2:]
        total = x
        for extent in (1, 2, 4):
            pooled = F.relu(self.conv(F.adaptive_avg_pool2d(x, extent)))
            total = total + F.interpolate(pooled, size, mode="bilinear")
        return total


class SegmentationHead(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(8, 5, 1)

    def forward(self, x):
        logits = F.interpolate(self.conv(x), scale_factor=4, mode="bilinear", align_corners=True)
        return paddle.argmax(logits, axis=1)


class DbHead(nn.Layer):
    """PP-OCR's detection head."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2D(8, 4, 3, padding=1), nn.BatchNorm2D(4)
        self.up, self.up_norm, self.out = (
            nn.Conv2DTranspose(4, 4, 2, 2),
            nn.BatchNorm2D(4),
            nn.Conv2DTranspose(4, 1, 2, 2),
        )

    def forward(self, x):
        x = F.relu(self.norm(self.conv(x)))
        return F.sigmoid(self.out(F.relu(self.up_norm(self.up(x)))))


class CtcHead(nn.Layer):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 11)

    def forward(self, x):
        columns = F.avg_pool2d(x, (12, 1)).squeeze(2).transpose([0, 2, 1])
        return F.softmax(self.out(columns), axis=2)


class PatchEmbed(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv, self.token = (
            nn.Conv2D(8, 6, 4, 4),
            self.create_parameter([1, 1, 6], default_initializer=nn.initializer.Normal()),
        )

    def forward(self, x):
        patches = self.conv(x).flatten(2).transpose([0, 2, 1])
        token = self.token.expand([paddle.shape(x)[0], -1, -1])
        return paddle.concat([token, patches], 1)


class Cbam(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(2, 1, 7, padding=3)

    def forward(self, x):
        maps = paddle.concat([x.mean(1, keepdim=True), x.max(1, keepdim=True)], 1)
        return x * F.sigmoid(self.conv(maps))


class Reparameterised(nn.Layer):
    def __init__(self):
        super().__init__()
        self.three, self.one = nn.Conv2D(8, 8, 3, padding=1), nn.Conv2D(8, 8, 1)
        self.norm = nn.BatchNorm2D(8)

    def forward(self, x):
        return F.relu(self.three(x) + self.one(x) + self.norm(x))


class Rectify(nn.Layer):
    """UVDoc's end: a predicted grid, resized, samples the input."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(8, 2, 3, stride=2, padding=1)

    def forward(self, x):
        flow = F.tanh(self.conv(x))
        grid = F.interpolate(flow, paddle.shape(x)[2:], mode="bilinear", align_corners=True)
        return F.grid_sample(x, grid.transpose([0, 2, 3, 1]), align_corners=True)


class Normalised(nn.Layer):
    """Bytes to normalised floats inside the graph."""

    def forward(self, x):
        mean, std = paddle.to_tensor([0.485, 0.456, 0.406]), paddle.to_tensor([0.229, 0.224, 0.225])
        return ((x.astype("float32") / 255.0 - mean) / std).transpose([0, 3, 1, 2])


family.layer("squeeze_excite", SqueezeExcite, image, static=True)
family.layer("squeeze_excite_hard", lambda: SqueezeExcite("hard"), image)
for label, activation in (
    ("relu", F.relu),
    ("hardswish", F.hardswish),
    ("silu", F.silu),
    ("gelu", F.gelu),
    ("mish", F.mish),
    ("leaky", lambda x: F.leaky_relu(x, 0.1)),
    ("relu6", F.relu6),
):
    family.layer(f"conv_bn_{label}", lambda a=activation: ConvBn(a), image)
family.layer(
    "depthwise_block", lambda: nn.Sequential(ConvBn(F.hardswish, 8, 5), ConvBn(F.relu, 1, 1)), image
)
family.layer("pyramid_exact", lambda: Pyramid(True), image)
family.layer("pyramid_scale", lambda: Pyramid(False), f32("x", (2, 8, 16, 12), (1, 8, 8, 20)))
family.layer("spatial_pyramid", SpatialPyramid, image)
family.layer("pyramid_pooling", PyramidPooling, image)
family.layer("pyramid_pooling_static", PyramidPooling, f32("x", (2, 8, 12, 10)))
family.layer("segmentation_head", SegmentationHead, image)
family.layer("db_head", DbHead, image, static=True)
family.layer("ctc_head", CtcHead, f32("x", (2, 8, 12, 10), (1, 8, 12, 14)))
family.layer("patch_embed", PatchEmbed, f32("x", (2, 8, 12, 8), (3, 8, 12, 8)))
family.layer("patch_embed_dynamic", PatchEmbed, f32("x", (2, 8, 12, 8), (3, 8, 8, 16)))
family.layer("cbam", Cbam, image)
family.layer("reparameterised", Reparameterised, image)
family.layer("rectify", Rectify, f32("x", (2, 8, 12, 10), (1, 8, 12, 10)))
family.layer("rectify_dynamic", Rectify, image)
family.layer("normalised", Normalised, u8("x", (2, 12, 10, 3), (1, 8, 14, 3), low=0, high=256))
family.layer(
    "stem",
    lambda: nn.Sequential(
        nn.Conv2D(8, 8, 7, 2, 3), nn.BatchNorm2D(8), nn.ReLU(), nn.MaxPool2D(3, 2, 1)
    ),
    image,
)
family.layer(
    "classifier",
    lambda: nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(8, 5), nn.Softmax()),
    image,
)
family.layer(
    "dropout_eval",
    lambda: nn.Sequential(
        nn.Conv2D(8, 4, 1),
        nn.Dropout2D(0.5),
        nn.AlphaDropout(0.4),
        nn.Dropout(0.3, mode="downscale_in_infer"),
    ),
    image,
)
