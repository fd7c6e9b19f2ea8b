"""Second derivatives and the vector calculus of the textbooks, composed of the transforms of either mode."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .forward import _transform, derivative, gradient, jacobian, jvp
from .kinks import lexicographic
from .pytree import flatten, flatten_as
from .rules.table import shape_of
from .sweep import Argnums, Function

__all__ = ["curl", "directional_derivative", "divergence", "hessian", "hvp", "laplacian"]


def hessian(f: Function, argnums: Argnums = 0, sparse: Any = False) -> Function:
    """The Hessian of a scalar function: all second partial derivatives, of shape `in.shape + in.shape`.

    Parameters
    ----------
    f : callable
        Its result must have shape ().
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of tuples of blocks, the block (i, k) of
        shape `in_i.shape + in_k.shape`.
    sparse : bool or sparse array, optional
        True gives a symmetric SciPy CSR array of shape (in.size, in.size), for functions that are sums of functions of
        few elements each, without any dense array in between; for the rest see `jacobian`. One argument only.

    Returns
    -------
    callable
        With f's own signature, so that it fits `hess=` of SciPy's solvers. f runs once: tangents in all directions
        through its reverse mode, for few elements through its forward mode.

    Raises
    ------
    ValueError
        If f's result is not a scalar.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """

    def compute(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if sparse is not False:
            return _sparse_hessian(f, argnums, sparse, args, kwargs)
        blocks = jacobian(gradient(f, argnums, mode=_inner(args, argnums)), argnums)(*args, **kwargs)
        return tuple(zip(*blocks)) if isinstance(argnums, tuple) else blocks

    return _transform("hessian", f, compute)


_FEW = 8  # elements up to which the gradient inside a Hessian is cheaper in forward mode (measured)


def _inner(args: tuple[Any, ...], argnums: Argnums) -> str:
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    try:
        leaves = [leaf for k in numbers for leaf in flatten(args[k])[0]]
    except (IndexError, TypeError):
        return "forward"  # which says what is wrong
    few = sum(int(np.prod(shape_of(leaf))) for leaf in leaves) <= _FEW
    return "forward" if few or lexicographic() else "reverse"


def _sparse_hessian(f: Function, argnums: Argnums, sparse: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if isinstance(argnums, tuple):
        raise TypeError("hessian: sparse takes one argument; put what is to be varied into one array")
    half = jacobian(gradient(f, argnums, mode="reverse"), argnums, sparse=sparse)(*args, **kwargs)
    return ((half + half.T) * 0.5).tocsr()


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The product of the Hessian of a scalar function at x with v, without the Hessian: forward over reverse.

    Parameters
    ----------
    f : callable of one argument
        Its result must have shape ().
    x, v : number, array or container, of the same structure and shapes

    Returns
    -------
    Of the structure and shapes of x.

    Notes
    -----
    The derivative of the gradient along v (Pearlmutter, 1994): f runs once.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([8., 2.])
    """
    return jvp(gradient(f, mode="reverse"), (x,), (v,))[1]


def directional_derivative(f: Function, x: Any, v: Any, order: int = 1) -> Any:
    """The derivative of f at x along v, d/dt f(x + t v) at t = 0; v is taken as it is, not scaled to length 1.

    Parameters
    ----------
    f : callable of one argument
    x, v : number, array or container, of the same structure and shapes
    order : int
        How many times to differentiate by t.

    Raises
    ------
    ValueError
        If order is no int >= 0, or v does not fit x.

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 1.0])
    5.0
    >>> dd.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 1.0], order=2)
    2.0
    """
    if type(order) is int and order == 1:
        return jvp(f, (x,), (v,))[1]
    jvp(lambda x: 0.0, (x,), (v,))  # which checks that v fits x
    leaves, rebuild = flatten(x)
    steps = [np.asarray(s) for s in flatten_as(x, v)]

    def along(t: Any) -> Any:
        return f(rebuild([np.asarray(leaf) + t * step for leaf, step in zip(leaves, steps)]))

    return derivative(along, order=order)(0.0)


def divergence(f: Function, argnums: int = 0) -> Function:
    """The divergence of a vector field: the sum of its slopes df_i / dx_i.

    Parameters
    ----------
    f : callable
        Its result must have the argument's shape.
    argnums : int
        Which argument is the position.

    Returns
    -------
    callable
        With f's own signature; it returns a number.

    Raises
    ------
    ValueError
        If the result has another shape than the argument.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.divergence(lambda x: x**2)(np.array([1.0, 2.0, 3.0]))
    12.0
    """

    def compute(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        J = _square("divergence", f, argnums, args, kwargs)
        return np.trace(J).item() if type(J) is np.ndarray else np.trace(J)

    return _transform("divergence", f, compute)


def curl(f: Function, argnums: int = 0) -> Function:
    """The curl of a vector field: in three dimensions a vector, in two the number df_1/dx_0 - df_0/dx_1.

    Parameters
    ----------
    f : callable
        Of an array of 3 or 2 numbers, its result of the same shape.
    argnums : int
        Which argument is the position.

    Raises
    ------
    ValueError
        If the shapes are not (3,) or (2,).

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.curl(lambda x: np.array([-x[1], x[0], 0.0]))(np.array([1.0, 2.0, 3.0]))
    array([0., 0., 2.])
    >>> dd.curl(lambda x: np.array([-x[1], x[0]]))(np.array([1.0, 2.0]))
    2.0
    """

    def compute(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        J = _square("curl", f, argnums, args, kwargs)
        if shape_of(args[argnums]) not in ((2,), (3,)):
            raise ValueError(f"curl: f must take an array of 2 or 3 numbers, not of shape {shape_of(args[argnums])}")
        turn = J.T - J + 0.0  # no -0.0
        if len(J) == 2:
            return turn[0, 1] if not isinstance(turn[0, 1], np.generic) else turn[0, 1].item()
        return np.stack([turn[1, 2], turn[2, 0], turn[0, 1]])

    return _transform("curl", f, compute)


def _square(name: str, f: Function, argnums: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The Jacobian of a vector field as a square matrix."""
    try:
        argnums = operator.index(argnums)
    except TypeError:
        raise TypeError(f"{name}: argnums must be an int, not {argnums!r}") from None
    J = jacobian(f, argnums)(*args, **kwargs)
    shape = shape_of(args[argnums])
    if shape_of(J) != shape + shape:
        out = shape_of(J)[: len(shape_of(J)) - len(shape)] if not isinstance(J, dict | tuple | list) else "a container"
        raise ValueError(f"{name}: the result must have the argument's shape {shape}, but it is {out}; use jacobian")
    n = int(np.prod(shape))
    return np.reshape(J, (n, n))


def laplacian(f: Function, argnums: int = 0) -> Function:
    """The Laplacian, the sum of the unmixed second derivatives; of an array of results, of each.

    Parameters
    ----------
    f : callable
        Its result is a number or an array.
    argnums : int
        Which argument is the position.

    Returns
    -------
    callable
        With f's own signature; what it returns has the shape of f's result.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.laplacian(lambda x: np.sum(x**4))(np.array([1.0, 2.0]))
    60.0
    """

    def compute(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        H = jacobian(jacobian(f, argnums, mode="auto"), argnums)(*args, **kwargs)
        k, n = len(shape_of(args[argnums])), int(np.prod(shape_of(args[argnums])))
        out = shape_of(H)[: len(shape_of(H)) - 2 * k]
        result = np.trace(np.reshape(H, (*out, n, n)), axis1=-2, axis2=-1)
        return result.item() if isinstance(result, np.float64) else result

    return _transform("laplacian", f, compute)
