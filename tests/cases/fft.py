"""Fourier transforms: each expression with every transform of its kind."""

from __future__ import annotations

import re

import numpy as np

F = np.fft
rng = np.random.default_rng(0)
X = rng.normal(size=(2, 3, 6)) + 1j * rng.normal(size=(2, 3, 6))
EVERY = """
F.fft(x)  F.ifft(x)  F.irfft(x)  F.hfft(x)
F.{1}(x, 4)  F.{1}(x, n=9)  F.{1}(x, 5, 1)  F.{1}(x, axis=0)  F.{1}(x, axis=-2, norm='ortho')  F.{1}(x, 1)
F.{1}(x, 7, norm='forward')  F.{1}(x, 4, -1, 'backward')  F.{1}(x[1, 0])
F.{2}(x)  F.{2}(x, (4, 7))  F.{2}(x, axes=(0, 1))  F.{2}(x, (-1, 3), (2, 0), 'ortho')  F.{2}(x, norm='forward')
F.{n}(x)  F.{n}(x, axes=(0,))  F.{n}(x, (2, 8), (1, 2))  F.{n}(x, axes=(0, 0))
F.{n}(x, (3, 2, 5), (2, 1, 0), 'forward')
F.fftshift(x)  F.ifftshift(x)  F.fftshift(x, 1)  F.ifftshift(x, axes=(0, -1))  F.ifftshift(x, -1)
"""


def _cases() -> list[tuple[str, bool]]:
    """Every expression with each transform of its kind in place of the braces, and whether x is complex."""
    found = []
    for source in re.split(r"\s{2,}|\n", EVERY.strip()):
        kind = re.search(r"{(.)}", source)
        ends = {"1": "", "2": "2", "n": "n"}
        names = [f + ends[kind[1]] for f in ("fft", "ifft", "rfft", "irfft")] if kind else [""]
        names += ["hfft", "ihfft"] if kind and kind[1] == "1" else []
        for name in names:
            if name not in ("irfft", "hfft") or "(x, 1)" not in source:
                found.append((source.replace(kind[0], name) if kind else source, True))
                found.append((found[-1][0], False))
    return [(e, is_complex) for e, is_complex in found if not is_complex or not re.search(r"F\.(rfft|ihfft)", e)]


CASES = _cases()
