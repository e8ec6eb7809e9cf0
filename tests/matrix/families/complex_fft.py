"""Complex numbers and Fourier transforms; inputs and outputs are real."""

import paddle
from paddle import fft

from tests.matrix.case import Family, f32

family = Family("complex_fft", __file__)

pairs = f32("x", (3, 4, 2), (2, 4, 2))
line = f32("x", (3, 8), (2, 8))
plane = f32("x", (2, 6, 8), (3, 6, 8))


def real(function):
    """A function of complex tensors, on pairs."""
    return lambda x, *rest: paddle.as_real(function(paddle.as_complex(x), *rest))


family.case("there_and_back", real(lambda x: x * 1.0), pairs)
family.case(
    "real_imag", lambda x: (lambda z: (paddle.real(z), paddle.imag(z)))(paddle.as_complex(x)), pairs
)
family.case("abs", lambda x: paddle.abs(paddle.as_complex(x)), pairs)
family.case("angle", lambda x: paddle.angle(paddle.as_complex(x)), pairs)
family.case("conj", real(paddle.conj), pairs)
family.case("multiply", real(lambda x: x * x), pairs)
family.case("add", real(lambda x: x + paddle.conj(x)), pairs)
family.case("divide", real(lambda x: x / (x * x)), pairs)
family.case("exp", real(paddle.exp), pairs)
family.case("matmul", real(lambda x: paddle.matmul(x, x)), f32("x", (2, 3, 3, 2)))
family.case("reshape", real(lambda x: x.reshape([-1, 2])), pairs)
family.case("transpose", real(lambda x: x.transpose([1, 0])), pairs)
family.case("concat", real(lambda x: paddle.concat([x, x], 0)), pairs)
family.case("slice", real(lambda x: x[:, 1:3]), pairs)
family.case(
    "complex_of_parts",
    lambda x, y: paddle.as_real(paddle.complex(x, y)),
    f32("x", (3, 4), (2, 4)),
    f32("y", (3, 4), (2, 4)),
)
family.case(
    "polar",
    lambda x, y: paddle.as_real(paddle.polar(x, y)),
    f32("x", (3, 4), low=0.1, high=2),
    f32("y", (3, 4)),
)
family.case(
    "rotary_complex",
    lambda x: paddle.as_real(
        paddle.as_complex(x)
        * paddle.complex(paddle.cos(paddle.arange(4.0)), paddle.sin(paddle.arange(4.0)))
    ),
    pairs,
)

for name in ("fft", "ifft"):
    function = getattr(fft, name)
    family.case(name, real(function), f32("x", (3, 8, 2), (2, 8, 2)), static=True)
    family.case(f"{name}_axis", real(lambda x, f=function: f(x, axis=0)), f32("x", (6, 4, 2)))
    family.case(
        f"{name}_ortho",
        real(lambda x, f=function: f(x, norm="ortho")),
        f32("x", (3, 8, 2), (2, 8, 2)),
    )
    family.case(f"{name}_of_real", lambda x, f=function: paddle.as_real(f(x)), line)
    family.case(f"{name}_rank3", lambda x, f=function: paddle.as_real(f(x)), plane)
    family.case(f"{name}_longer", lambda x, f=function: paddle.as_real(f(x, n=12)), line)
    family.case(f"{name}2", lambda x, n=name: paddle.as_real(getattr(fft, f"{n}2")(x)), plane)
family.case("rfft", lambda x: paddle.as_real(fft.rfft(x)), line, static=True)
family.case("rfft_rank3", lambda x: paddle.as_real(fft.rfft(x)), plane)
family.case("rfft_axis", lambda x: paddle.as_real(fft.rfft(x, axis=1)), plane)
family.case("rfft_odd", lambda x: paddle.as_real(fft.rfft(x, n=7)), line)
family.case("rfft2", lambda x: paddle.as_real(fft.rfft2(x)), plane)
family.case("irfft", lambda x: fft.irfft(paddle.as_complex(x)), f32("x", (3, 5, 2), (2, 5, 2)))
family.case(
    "irfft_odd", lambda x: fft.irfft(paddle.as_complex(x), n=7), f32("x", (3, 4, 2), (2, 4, 2))
)
family.case("irfft2", lambda x: fft.irfft2(paddle.as_complex(x)), f32("x", (2, 6, 5, 2)))
family.case("rfft_round", lambda x: fft.irfft(fft.rfft(x)), line)
family.case("rfft2_filter", lambda x: fft.irfft2(fft.rfft2(x) * 0.5), plane)
family.case("hfft", lambda x: fft.hfft(paddle.as_complex(x)), f32("x", (3, 5, 2)))
family.case("fftshift", lambda x: fft.fftshift(x), line)
family.case("ifftshift", lambda x: fft.ifftshift(x), line)
family.case("fftfreq", lambda x: x * fft.fftfreq(8, 0.5), line)
family.case(
    "frame", lambda x: paddle.signal.frame(x, 4, 2), f32("x", (3, 12), (2, 12)), static=True
)
family.case(
    "overlap_add", lambda x: paddle.signal.overlap_add(x, 2), f32("x", (3, 4, 5), (2, 4, 5))
)
family.case("stft", lambda x: paddle.as_real(paddle.signal.stft(x, 8, 4)), f32("x", (2, 32)))
family.case(
    "stft_magnitude",
    lambda x: paddle.abs(paddle.signal.stft(x, 8, 4, center=False)),
    f32("x", (2, 32)),
)
family.case(
    "istft", lambda x: paddle.signal.istft(paddle.signal.stft(x, 8, 4), 8, 4), f32("x", (2, 32))
)
