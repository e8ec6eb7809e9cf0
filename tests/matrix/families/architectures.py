"""Whole models, small and with seeded weights: the CNNs of ``paddle.vision`` and others."""

import paddle
from paddle import nn
from paddle.nn import functional as F
from paddle.vision import models

from tests.matrix.case import Family, f32, i64

family = Family("architectures", __file__)

image = f32("x", (1, 3, 64, 64), (2, 3, 64, 64))
free = f32("x", (1, 3, 64, 96), (2, 3, 96, 64))


class Settled(nn.Layer):
    """A network whose batch norms know their inputs: else its answers are 1e-22 or 1e6."""

    def __init__(self, inner: nn.Layer, shape: tuple[int, ...] = (4, 3, 64, 64)):
        super().__init__()
        self.inner = inner
        for layer in inner.sublayers(include_self=True):
            if isinstance(layer, nn.BatchNorm2D):
                layer._momentum = 0.0
                layer.weight.set_value(paddle.uniform(layer.weight.shape, min=0.6, max=1.4))
                layer.bias.set_value(paddle.uniform(layer.bias.shape, min=-0.3, max=0.3))
        inner.train()
        with paddle.no_grad():
            inner(paddle.randn(shape))
        inner.eval()

    def forward(self, x):
        return self.inner(x)


small = {"num_classes": 10}
networks = {
    "lenet": (lambda: models.LeNet(10), f32("x", (1, 1, 28, 28), (3, 1, 28, 28)), None),
    "vgg11": (
        lambda: nn.Sequential(
            models.vgg11(num_classes=0, with_pool=False).features[:11],
            nn.AdaptiveAvgPool2D(1),
            nn.Flatten(),
        ),
        image,
        None,
    ),
    "resnet18": (lambda: models.resnet18(**small), image, 64),
    "resnet34": (lambda: models.resnet34(**small), image, 64),
    "resnet50": (lambda: models.resnet50(**small), image, 64),
    "resnext50": (lambda: models.resnext50_32x4d(**small), image, 64),
    "mobilenet_v1": (lambda: models.mobilenet_v1(scale=0.25, **small), image, 64),
    "mobilenet_v2": (lambda: models.mobilenet_v2(scale=0.25, **small), image, 64),
    "mobilenet_v3_small": (lambda: models.mobilenet_v3_small(scale=0.5, **small), image, 64),
    "mobilenet_v3_large": (lambda: models.mobilenet_v3_large(scale=0.5, **small), image, 64),
    "densenet121": (lambda: models.densenet121(**small), image, 64),
    "googlenet": (
        lambda: models.googlenet(**small),
        f32("x", (1, 3, 224, 224), (2, 3, 224, 224)),
        None,
    ),
    "inception_v3": (
        lambda: models.inception_v3(**small),
        f32("x", (1, 3, 128, 128), (2, 3, 128, 128)),
        128,
    ),
    "shufflenet_v2": (lambda: models.shufflenet_v2_x0_25(**small), image, 64),
    "shufflenet_v2_swish": (lambda: models.shufflenet_v2_swish(**small), image, 64),
    "squeezenet1_0": (lambda: models.squeezenet1_0(**small), image, None),
    "squeezenet1_1": (lambda: models.squeezenet1_1(**small), image, None),
}
for name, (make, source, side) in networks.items():
    factory = make if side is None else lambda m=make, s=side: Settled(m(), (4, 3, s, s))
    family.layer(
        name, factory, source, timeout=180.0, static=name in ("resnet18", "mobilenet_v3_small")
    )
for name in ("resnet18", "mobilenet_v2", "mobilenet_v3_small", "densenet121"):
    make = networks[name][0]
    family.layer(f"{name}_any_size", lambda m=make: Settled(m()), free, timeout=180.0)


class Bert(nn.Layer):
    """Embeddings, two encoder layers, a pooler: inputs and their mask as BERT takes them."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.token, self.position, self.kind = (
            nn.Embedding(30, width),
            nn.Embedding(32, width),
            nn.Embedding(8, width),
        )
        self.norm = nn.LayerNorm(width)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 4, 32, activation="gelu"), 2
        )
        self.pooler = nn.Linear(width, width)

    def forward(self, ids, kinds):
        where = paddle.cumsum(paddle.ones_like(ids), axis=1) - 1
        mask = ((ids == 0).astype("float32") * -1e4).unsqueeze([1, 2])
        x = self.norm(self.token(ids) + self.position(where) + self.kind(kinds))
        x = self.encoder(x, mask)
        return x, paddle.tanh(self.pooler(x[:, 0]))


class Gpt(nn.Layer):
    """A causal transformer with tied output weights."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.token, self.position = nn.Embedding(30, width), nn.Embedding(32, width)
        layer = nn.TransformerEncoderLayer(width, 4, 32, activation="gelu", normalize_before=True)
        self.blocks, self.norm = nn.TransformerEncoder(layer, 2), nn.LayerNorm(width)

    def forward(self, ids):
        length = paddle.shape(ids)[1]
        x = self.token(ids) + self.position(paddle.arange(length))
        mask = paddle.triu(paddle.full([length, length], -1e4), 1)
        x = self.norm(self.blocks(x, mask))
        return paddle.matmul(x, self.token.weight, transpose_y=True)


class Vit(nn.Layer):
    def __init__(self, width: int = 16):
        super().__init__()
        self.patch = nn.Conv2D(3, width, 8, 8)
        self.token = self.create_parameter(
            [1, 1, width], default_initializer=nn.initializer.Normal()
        )
        self.position = self.create_parameter(
            [1, 17, width], default_initializer=nn.initializer.Normal()
        )
        self.blocks = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 4, 32, activation="gelu", normalize_before=True), 2
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose([0, 2, 1])
        x = paddle.concat([self.token.expand([paddle.shape(x)[0], -1, -1]), x], 1)
        return self.head(self.blocks(x + self.position)[:, 0])


class UNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = (
            nn.Conv2D(3, 8, 3, padding=1),
            nn.Conv2D(8, 16, 3, padding=1),
            nn.Conv2D(24, 8, 3, padding=1),
        )
        self.out = nn.Conv2D(8, 4, 1)

    def forward(self, x):
        a = F.relu(self.one(x))
        b = F.relu(self.two(F.max_pool2d(a, 2)))
        up = F.interpolate(b, paddle.shape(a)[2:], mode="bilinear", align_corners=True)
        return paddle.argmax(self.out(F.relu(self.three(paddle.concat([a, up], 1)))), 1)


class Detector(nn.Layer):
    """A one-stage detector: anchors-free head, decoded boxes, class-wise suppression."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2D(3, 8, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2D(8, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2D(16, 16, 3, 2, 1),
            nn.ReLU(),
        )
        self.scores, self.distances = nn.Conv2D(16, 3, 1), nn.Conv2D(16, 4, 1)

    def forward(self, x):
        y = self.backbone(x)
        # Spread over the sigmoid's middle: scores that are all 1.0 have no order.
        logits = self.scores(y)
        centred = logits - logits.mean([1, 2, 3], keepdim=True)
        scores = F.sigmoid(2.0 * centred / centred.abs().max([1, 2, 3], keepdim=True)).flatten(2)
        raw = self.distances(y)
        sides = F.softplus(4.0 * raw / raw.abs().max([1, 2, 3], keepdim=True))
        distance = sides.flatten(2).transpose([0, 2, 1]) * 8.0
        rows, columns = paddle.meshgrid(paddle.arange(8.0), paddle.arange(8.0))
        points = (paddle.stack([columns, rows], -1).reshape([1, -1, 2]) + 0.5) * 8.0
        low, high = distance[..., :2], distance[..., 2:]
        boxes = paddle.concat([points - low, points + high], -1)
        return paddle._C_ops.multiclass_nms3(boxes, scores, None, 0.3, 50, 20, 0.5, True, 1.0, -1)


class TwoTower(nn.Layer):
    """Recommendation: embeddings of several features, crossed, and a deep part."""

    def __init__(self):
        super().__init__()
        self.embed, self.deep = (
            nn.Embedding(40, 6),
            nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1)),
        )

    def forward(self, ids):
        e = self.embed(ids)
        cross = 0.5 * (e.sum(1).square() - e.square().sum(1)).sum(1, keepdim=True)
        return F.sigmoid(cross + self.deep(e.flatten(1)))


class Tagger(nn.Layer):
    def __init__(self, kind):
        super().__init__()
        self.embed, self.rnn, self.out = (
            nn.Embedding(30, 8),
            kind(8, 8, num_layers=2, direction="bidirect"),
            nn.Linear(16, 5),
        )

    def forward(self, ids):
        return self.out(self.rnn(self.embed(ids))[0]).argmax(-1)


class TextCnn(nn.Layer):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.convs, self.out = (
            nn.LayerList([nn.Conv1D(8, 6, k) for k in (2, 3, 4)]),
            nn.Linear(18, 3),
        )

    def forward(self, ids):
        x = self.embed(ids).transpose([0, 2, 1])
        return self.out(paddle.concat([F.relu(conv(x)).max(-1) for conv in self.convs], 1))


class Autoencoder(nn.Layer):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2D(3, 8, 4, 2, 1), nn.GroupNorm(2, 8), nn.Silu(), nn.Conv2D(8, 8, 4, 2, 1)
        )
        self.up = nn.Sequential(
            nn.Conv2DTranspose(8, 8, 4, 2, 1),
            nn.InstanceNorm2D(8),
            nn.LeakyReLU(0.2),
            nn.Conv2DTranspose(8, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.up(self.down(x))


class Wavenet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.convs = nn.LayerList([nn.Conv1D(4, 8, 2, dilation=d) for d in (1, 2, 4)])
        self.mix = nn.Conv1D(4, 4, 1)

    def forward(self, x):
        for at in range(3):
            padded = F.pad(x, [2**at, 0], data_format="NCL")
            a, b = paddle.chunk(self.convs[at](padded), 2, axis=1)
            x = x + self.mix(paddle.tanh(a) * F.sigmoid(b))
        return x


ids = i64("ids", (2, 9), (3, 6), low=0, high=8)
family.layer("bert", Bert, ids, i64("kinds", (2, 9), (3, 6), low=0, high=2))
family.layer(
    "bert_static", Bert, i64("ids", (2, 9), low=0, high=8), i64("kinds", (2, 9), low=0, high=2)
)
family.layer("gpt", Gpt, ids, static=True)
family.layer("vit", Vit, f32("x", (1, 3, 32, 32), (2, 3, 32, 32)))
family.layer("unet", UNet, f32("x", (1, 3, 16, 24), (2, 3, 32, 16)))
family.layer("detector_nms", Detector, f32("x", (1, 3, 64, 64)), task="boxes")
family.layer("two_tower", TwoTower, i64("ids", (2, 5), (4, 5), low=0, high=8))
family.layer("lstm_tagger", lambda: Tagger(nn.LSTM), ids)
family.layer("gru_tagger", lambda: Tagger(nn.GRU), ids)
family.layer("text_cnn", TextCnn, i64("ids", (2, 9), (3, 7), low=0, high=8))
family.layer("autoencoder", Autoencoder, f32("x", (1, 3, 16, 24), (2, 3, 32, 16)))
family.layer("wavenet", Wavenet, f32("x", (1, 4, 20), (2, 4, 13)))
