"""Works whose Jacobian is sparse: discretised equations, bundle adjustment, the Hessian of a sum over neighbours.

By hand mostly twice: assembled by SciPy's constructors from the analytic diagonals and blocks, with which targets
compare, and written straight into a pattern that was prepared once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tools import Tool
from .dense import make_rosenbrock
from .work import HAND, Build, Target, Work, derivatives

PATTERN = "into its pattern"

Problem = tuple[Callable[[Any], Any], dict[str, Callable[[Any], Any]], np.ndarray]  # make, by hand, the point


def _into(indices: np.ndarray, columns: int) -> Callable[[np.ndarray], Any]:
    """Puts data of one row after the other, each with as many elements, into a CSR array; indices are prepared."""
    from scipy.sparse import csr_array

    rows, each = indices.shape
    indices = indices.reshape(-1).astype(np.int32)
    starts = np.arange(0, rows * each + 1, each, dtype=np.int32)
    return lambda data: csr_array((data.reshape(-1), indices, starts), shape=(rows, columns))


def burgers_problem(n: int) -> Problem:
    """Viscous Burgers in one dimension, central differences: du/dt of the inner points, by slices."""
    from scipy.sparse import diags_array

    h = 1.0 / (n - 1)
    convection, diffusion = 0.5 / h, 0.01 / h**2

    def make(np: Any) -> Any:
        def f(u: Any) -> Any:
            left, middle, right = u[:-2], u[1:-1], u[2:]
            return diffusion * (right - 2.0 * middle + left) - convection * middle * (right - left)

        return f

    def diagonals(u: np.ndarray) -> list[np.ndarray]:
        flow = convection * u[1:-1]
        return [diffusion + flow, -2.0 * diffusion - convection * (u[2:] - u[:-2]), diffusion - flow]

    def by_hand(u: np.ndarray) -> Any:
        return diags_array(diagonals(u), offsets=(0, 1, 2), shape=(n - 2, n), format="csr")

    into = _into(np.arange(n - 2)[:, None] + np.arange(3), n)

    def into_pattern(u: np.ndarray) -> Any:
        data = np.empty((n - 2, 3))
        data[:, 0], data[:, 1], data[:, 2] = diagonals(u)
        return into(data)

    return make, {HAND: by_hand, PATTERN: into_pattern}, np.sin(3.0 * np.linspace(0.0, 1.0, n))


A, B, ALPHA = 1.0, 3.0, 0.02  # of the Brusselator, as in Hairer and Wanner (1996), section IV.10


def brusselator1_problem(n: int) -> Problem:
    """The Brusselator in one dimension: n cells of two species, one after the other, by slices."""
    from scipy.sparse import diags_array

    spread = ALPHA * (n + 1) ** 2
    left, right = np.full(1, A), np.full(1, B)

    def make(np: Any) -> Any:
        one, three = np.asarray(left), np.asarray(right)

        def f(y: Any) -> Any:
            u, v = y[:n], y[n:]
            wide_u, wide_v = np.concatenate([one, u, one]), np.concatenate([three, v, three])
            uuv = u**2 * v
            du = A + uuv - (B + 1.0) * u + spread * (wide_u[2:] - 2.0 * u + wide_u[:-2])
            dv = B * u - uuv + spread * (wide_v[2:] - 2.0 * v + wide_v[:-2])
            return np.concatenate([du, dv])

        return f

    beside = np.full(2 * n - 1, spread)
    beside[n - 1] = 0.0

    def by_hand(y: np.ndarray) -> Any:
        u, v = y[:n], y[n:]
        uv2, uu = 2.0 * u * v, u**2
        middle = np.concatenate([uv2 - (B + 1.0) - 2.0 * spread, -uu - 2.0 * spread])
        diagonals = [B - uv2, beside, middle, beside, uu]
        return diags_array(diagonals, offsets=(-n, -1, 0, 1, n), format="csr")

    x = np.linspace(0.0, 1.0, n + 2)[1:-1]
    return make, {HAND: by_hand}, np.concatenate([1.0 + np.sin(2.0 * np.pi * x), np.full(n, 3.0) + 0.1 * x])


def brusselator2_problem(side: int) -> Problem:
    """The Brusselator on a square with periodic boundaries, by np.roll."""
    from scipy.sparse import block_array, diags_array, eye_array, kron

    spread, cells = ALPHA * side**2, side * side

    def make(np: Any) -> Any:
        def laplacian(w: Any) -> Any:
            return np.roll(w, 1, 0) + np.roll(w, -1, 0) + np.roll(w, 1, 1) + np.roll(w, -1, 1) - 4.0 * w

        def f(y: Any) -> Any:
            u, v = y[:cells].reshape(side, side), y[cells:].reshape(side, side)
            uuv = u**2 * v
            du = A + uuv - (B + 1.0) * u + spread * laplacian(u)
            dv = B * u - uuv + spread * laplacian(v)
            return np.concatenate([du.reshape(-1), dv.reshape(-1)])

        return f

    ring = diags_array([1.0, 1.0, -2.0, 1.0, 1.0], offsets=(1 - side, -1, 0, 1, side - 1), shape=(side, side))
    mixing = (spread * (kron(ring, eye_array(side)) + kron(eye_array(side), ring))).tocsr()

    def by_hand(y: np.ndarray) -> Any:
        u, v = y[:cells], y[cells:]
        uv2, uu = 2.0 * u * v, u**2
        blocks = [
            [mixing + diags_array(uv2 - (B + 1.0)), diags_array(uu)],
            [diags_array(B - uv2), mixing - diags_array(uu)],
        ]
        return block_array(blocks, format="csr")

    # In every row: five of the own species, and one of the other.
    mixing.sort_indices()
    here, own = np.arange(cells)[:, None], mixing.indices.reshape(cells, 5)
    indices = np.concatenate([np.hstack([own, here + cells]), np.hstack([here, own + cells])])
    into, constant = _into(indices, 2 * cells), mixing.data.reshape(cells, 5)
    centre = np.flatnonzero(own == here)

    def into_pattern(y: np.ndarray) -> Any:
        u, v = y[:cells], y[cells:]
        uv2, uu = 2.0 * u * v, u**2
        data = np.empty((2, cells, 6))
        for block, reaction in ((data[0, :, :5], uv2 - (B + 1.0)), (data[1, :, 1:], -uu)):
            block[:] = constant
            block[np.arange(cells), centre % 5] += reaction
        data[0, :, 5], data[1, :, 0] = uu, B - uv2
        return into(data)

    t = np.linspace(0.0, 2.0 * np.pi, side, endpoint=False)
    u, v = 1.0 + 0.5 * np.sin(t)[:, None] * np.cos(t), 3.0 + 0.1 * np.cos(t)[:, None] * np.sin(t)
    return make, {HAND: by_hand, PATTERN: into_pattern}, np.concatenate([u.reshape(-1), v.reshape(-1)])


def bundle_problem(observations: int) -> Problem:
    """Bundle adjustment: cameras of nine parameters see points of three; residuals of their images, by fancy indexing.

    The camera is that of Agarwal et al., Bundle Adjustment in the Large (2010): rotation vector, translation, focal
    length, two coefficients of distortion.
    """
    cameras, points = max(2, observations // 100), max(3, observations // 5)
    rng = np.random.default_rng(0)
    camera = np.sort(rng.integers(0, cameras, observations))
    point = rng.integers(0, points, observations)
    scene = np.concatenate([0.3 * rng.standard_normal((cameras, 6)), np.full((cameras, 3), (500.0, -0.1, 0.02))], 1)
    scene[:, 5] -= 8.0
    places = rng.standard_normal((points, 3))
    observed = 50.0 * rng.standard_normal((observations, 2))

    def make(np: Any) -> Any:
        def f(x: Any) -> Any:
            c = x[: 9 * cameras].reshape(cameras, 9)[camera]
            p = x[9 * cameras :].reshape(points, 3)[point]
            angle = np.linalg.norm(c[:, :3], axis=1)[:, None]
            axis = c[:, :3] / angle
            along = np.sum(p * axis, axis=1)[:, None]
            turned = np.cos(angle) * p + np.sin(angle) * np.cross(axis, p) + along * (1.0 - np.cos(angle)) * axis
            moved = turned + c[:, 3:6]
            image = -moved[:, :2] / moved[:, 2:]
            radius = np.sum(image**2, axis=1)
            scale = c[:, 6] * (1.0 + c[:, 7] * radius + c[:, 8] * radius**2)
            return (image * scale[:, None] - observed).reshape(-1)

        return f

    columns = np.hstack([9 * camera[:, None] + np.arange(9), 9 * cameras + 3 * point[:, None] + np.arange(3)])
    into = _into(np.repeat(columns, 2, axis=0), 9 * cameras + 3 * points)

    def by_hand(x: np.ndarray) -> Any:
        c = x[: 9 * cameras].reshape(cameras, 9)[camera]
        p = x[9 * cameras :].reshape(points, 3)[point]
        turn = c[:, :3]
        square = np.sum(turn**2, 1)[:, None, None]
        angle = np.sqrt(square)
        cross = _cross(turn)
        rotation = np.eye(3) + np.sin(angle) / angle * cross + (1.0 - np.cos(angle)) / square * (cross @ cross)
        moved = (rotation @ p[:, :, None])[:, :, 0] + c[:, 3:6]
        # How the turned point follows the rotation vector: Gallego and Yezzi (2015), equation 8.
        following = turn[:, :, None] * turn[:, None, :] + (rotation.transpose(0, 2, 1) - np.eye(3)) @ cross
        turning = -(rotation @ _cross(p)) @ following / square
        image = -moved[:, :2] / moved[:, 2:]
        focal, k1, k2, radius = c[:, 6], c[:, 7], c[:, 8], np.sum(image**2, 1)
        shape = 1.0 + k1 * radius + k2 * radius**2
        steep = 2.0 * focal * (k1 + 2.0 * k2 * radius)
        of_image = steep[:, None, None] * image[:, :, None] * image[:, None, :]
        of_image[:, 0, 0] += focal * shape
        of_image[:, 1, 1] += focal * shape
        of_place = np.empty((len(c), 2, 3))
        of_place[:, :, :2] = -of_image / moved[:, 2, None, None]
        of_place[:, :, 2] = (of_place[:, :, :2] @ image[:, :, None])[:, :, 0]
        data = np.empty((len(c), 2, 12))
        data[:, :, :3] = of_place @ turning
        data[:, :, 3:6] = of_place
        data[:, :, 6] = image * shape[:, None]
        data[:, :, 7] = image * (focal * radius)[:, None]
        data[:, :, 8] = image * (focal * radius**2)[:, None]
        data[:, :, 9:] = of_place @ rotation
        return into(data)

    return make, {HAND: by_hand}, np.concatenate([scene.reshape(-1), places.reshape(-1)])


def _cross(a: np.ndarray) -> np.ndarray:
    """The matrices [a]x, whose product with b is the cross product of a and b."""
    zero = np.zeros(len(a))
    x, y, z = a.T
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)


def hessian_problem(n: int) -> Problem:
    """The Hessian of the Rosenbrock function: three diagonals."""
    from scipy.sparse import diags_array

    def by_hand(x: np.ndarray) -> Any:
        main = np.full(n, 200.0)
        main[0] = 0.0
        main[:-1] += 2.0 - 400.0 * (x[1:] - 3.0 * x[:-1] ** 2)
        below = -400.0 * x[:-1]
        return diags_array([below, main, below], offsets=(-1, 0, 1), format="csr")

    return make_rosenbrock, {HAND: by_hand}, np.linspace(-1.2, 1.4, n)


def _work(
    name: str, problem: Callable[[int], Problem], size: int, tiny_size: int, *targets: Target, **options: Any
) -> Build:
    def build(tools: list[Tool], tiny: bool) -> Work:
        make, by_hand, x = problem(tiny_size if tiny else size)
        kind = "sparse hessian" if problem is hessian_problem else "sparse"
        return derivatives(f"{name}, n = {x.size:,}", tools, kind, make, by_hand, (x,), *targets, **options)

    return build


def burgers(n: int, *targets: Target) -> Build:
    """Three diagonals."""
    return _work("Burgers sparse Jacobian", burgers_problem, n, 6, *targets)


def first_call(n: int, *targets: Target) -> Build:
    """What the first call costs, with whatever a tool prepares for the later ones."""
    return _work("Brusselator sparse Jacobian, first call", brusselator1_problem, n // 2, 4, *targets, first=True)


def brusselator1(n: int) -> Build:
    """Five diagonals."""
    return _work("1-D Brusselator sparse Jacobian", brusselator1_problem, n // 2, 4)


def brusselator2(side: int, *targets: Target) -> Build:
    """Two blocks of five neighbours, and two diagonals; CasADi's arrays are column by column and don't roll."""
    return _work("2-D Brusselator sparse Jacobian", brusselator2_problem, side, 3, *targets, unable=("casadi",))


def bundle(observations: int, *targets: Target) -> Build:
    """Twelve parameters for each of twice as many residuals."""
    name = f"bundle adjustment sparse Jacobian, {observations:,} observations"
    return _work(name, bundle_problem, observations, 12, *targets, unable=("casadi",))


def hessian(n: int) -> Build:
    """Second derivatives, sparse."""
    return _work("Rosenbrock sparse Hessian", hessian_problem, n, 5)
