"""Discrete Fourier transforms of axes of known length, and short-time ones."""

import numpy as np
import paddle
import pytest

rng = np.random.default_rng(0)
X = rng.normal(size=(2, 6, 8)).astype("float32")
Z = rng.normal(size=(2, 6, 8, 2)).astype("float32")
ODD = rng.normal(size=(2, 5, 7)).astype("float32")
WAVE = rng.normal(size=(2, 64)).astype("float32")
HANN = np.hanning(16).astype("float32")
S = {"static": True, "atol": 2e-5, "rtol": 1e-4}


def _r(function):
    return lambda x: paddle.as_real(function(x))


def _c(function):
    return lambda x: paddle.as_real(function(paddle.as_complex(x)))


CASES = {
    "rfft": (_r(lambda x: paddle.fft.rfft(x)), [X], S),
    "rfft_odd": (_r(lambda x: paddle.fft.rfft(x)), [ODD], S),
    "rfft_axis": (_r(lambda x: paddle.fft.rfft(x, axis=1)), [X], S),
    "rfft_ortho": (_r(lambda x: paddle.fft.rfft(x, norm="ortho")), [X], S),
    "rfft_forward": (_r(lambda x: paddle.fft.rfft(x, norm="forward")), [X], S),
    "rfft_n": (_r(lambda x: paddle.fft.rfft(x, n=5)), [X], S),
    "rfft_n_more": (_r(lambda x: paddle.fft.rfft(x, n=12)), [X], S),
    "rfft_batch": (
        _r(lambda x: paddle.fft.rfft(x)),
        [X],
        {**S, "static": False, "specs": [((-1, -1, 8), "float32")]},
    ),
    "rfft2": (_r(lambda x: paddle.fft.rfft2(x)), [X], S),
    "rfftn": (_r(lambda x: paddle.fft.rfftn(x)), [X], S),
    "fft_real": (_r(lambda x: paddle.fft.fft(x)), [X], S),
    "fft": (_c(lambda x: paddle.fft.fft(x)), [Z], S),
    "fft_axis": (_c(lambda x: paddle.fft.fft(x, axis=1)), [Z], S),
    "ifft": (_c(lambda x: paddle.fft.ifft(x)), [Z], S),
    "fft2": (_c(lambda x: paddle.fft.fft2(x)), [Z], S),
    "ifft2": (_c(lambda x: paddle.fft.ifft2(x)), [Z], S),
    "fftn": (_c(lambda x: paddle.fft.fftn(x)), [Z], S),
    "irfft": (lambda x: paddle.fft.irfft(paddle.as_complex(x)), [Z], S),
    "irfft_odd": (lambda x: paddle.fft.irfft(paddle.as_complex(x), n=13), [Z], S),
    "irfft_axis": (lambda x: paddle.fft.irfft(paddle.as_complex(x), axis=1), [Z], S),
    "irfft2": (lambda x: paddle.fft.irfft2(paddle.as_complex(x)), [Z], S),
    "hfft": (lambda x: paddle.fft.hfft(paddle.as_complex(x)), [Z], S),
    "ihfft": (_r(lambda x: paddle.fft.ihfft(x)), [X], S),
    "rfft_irfft": (lambda x: paddle.fft.irfft(paddle.fft.rfft(x) * 2.0), [X], S),
    "rfft2_irfft2": (lambda x: paddle.fft.irfft2(paddle.fft.rfft2(x) * 2.0, s=[6, 8]), [X], S),
    "rfft2_irfft2_spatial": (
        lambda x: paddle.fft.irfft2(paddle.fft.rfft2(x, axes=(0, 1)), s=[2, 6], axes=(0, 1)),
        [X],
        S,
    ),
    "rfft_abs": (lambda x: paddle.abs(paddle.fft.rfft(x)), [X], S),
    "fftshift": (lambda x: paddle.fft.fftshift(x), [X], S),
    "ifftshift": (lambda x: paddle.fft.ifftshift(x, axes=1), [ODD], S),
    "stft": (_r(lambda x: paddle.signal.stft(x, 16, 4)), [WAVE], S),
    "stft_whole": (
        _r(lambda x: paddle.signal.stft(x, 16, 8, onesided=False, center=False)),
        [WAVE],
        S,
    ),
    "stft_normalized": (_r(lambda x: paddle.signal.stft(x, 16, 4, normalized=True)), [WAVE], S),
    "frame": (lambda x: paddle.signal.frame(x, 16, 8), [WAVE], S),
    "frame_dynamic": (lambda x: paddle.signal.frame(x, 16, 8), [WAVE], {}),
    "frame_first": (lambda x: paddle.signal.frame(x, 16, 8, axis=0), [WAVE.T.copy()], S),
    "overlap_add": (lambda x: paddle.signal.overlap_add(x, 4), [X], S),
    "overlap_add_first": (lambda x: paddle.signal.overlap_add(x, 4, axis=0), [X], S),
    "istft": (lambda x: paddle.signal.istft(paddle.signal.stft(x, 16, 4), 16, 4), [WAVE], S),
}


@pytest.mark.parametrize("name", CASES)
def test_fourier(check_case, name):
    check_case(CASES[name])
