"""Functions of 20 numbers whose Jacobians have structure."""

from __future__ import annotations

from typing import Any

import numpy as np


def limiter(u: Any) -> Any:
    a, b = u[1:-1] - u[:-2], u[2:] - u[1:-1]
    return np.where(a * b > 0, np.minimum(np.abs(a), np.abs(b)) * np.sign(a), 0.0)


def stored(u: Any) -> Any:
    y = np.zeros_like(u)
    y[1:-1] = u[2:] * u[:-2] - u[1:-1] ** 2
    y[0], y[-1] = u[0] ** 2, u[-1] - u[0]
    y[2:5] *= u[:3]
    z = y.reshape(4, -1)
    z[:, 0] = 0.0
    y += np.sin(u)
    return y


def upwind(u: Any) -> Any:
    left, right = np.roll(u, 1), np.roll(u, -1)
    return np.where(u > 0, u * (u - left), u * (right - u)) + 0.1 * (left - 2 * u + right)


def laplacian(u: Any) -> Any:
    v = np.pad(u.reshape(4, 5), 1, mode="edge")
    return v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - 4 * np.exp(v[1:-1, 1:-1])


def springs(u: Any) -> Any:
    """Lengths of springs between points in the plane, some of which coincide."""
    p = np.reshape(u, (10, 2))
    d = p[[0, 1, 2, 3, 3, 9]] - p[[5, 1, 7, 3, 0, 8]]
    return np.linalg.norm(d, axis=1)


def rotations(u: Any) -> Any:
    m = u[:18].reshape(2, 3, 3)
    return np.einsum("nij,nj->ni", m, np.cross(m[:, 0], m[:, 1])), np.linalg.det(m), m @ m


def energy(u: Any) -> Any:
    return np.sum((u[1:] - u[:-1] ** 2) ** 2) + np.mean(np.log1p(u[::2] ** 2)) + np.max(u)


def gathered(u: Any) -> Any:
    """A sum over elements that occur several times."""
    return np.sum(np.sin(u[[0, 3, 3, 3, 7, 0]]) * u[[1, 2, 3, 4, 5, 6]])


def half(u: Any) -> Any:
    c = u[:10] + 1j * u[10:]
    return np.real(c * np.conj(c[::-1])), np.abs(c) ** 2, np.imag(np.exp(c))


def fractional(u: Any) -> Any:
    return np.sqrt(np.abs(u - u[0])) * 2.0, np.sqrt(np.maximum(u, 0.0))[1:] * u[:-1]


STENCILS = [limiter, stored, upwind, laplacian, springs, rotations, energy, gathered, half, fractional]
