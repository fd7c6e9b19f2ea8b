"""Second derivatives and the vector calculus of the textbooks, composed of the transforms of either mode."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.kinks import lexicographic
from ..core.pytree import flatten
from ..core.values import dtype_of, is_complex, shape_of, size_of
from ..run.call import Call, Function, by_leaf, forward_columns, number
from ..run.checks import Argnums, check_function, check_order, fitting
from ..spaces.rowlocal import RowLocal
from .forward import along, gradient_of, jacobian_of, transformed
from .sparse import sparse_blocks
from .taylor import series_along


def hessian(f: Function, argnums: Argnums = 0, sparse: Any = False) -> Function:
    """The Hessian of a scalar function: all second partial derivatives, of shape `in.shape + in.shape`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])

    Parameters
    ----------
    f : callable
        Its result must have shape ().
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of tuples of blocks, the block (i, k) of
        shape `in_i.shape + in_k.shape`.
    sparse : bool or sparse array, optional
        True gives a symmetric SciPy CSR array of shape (in.size, in.size), for functions that are sums of functions of
        few elements each, without any dense array in between; for the rest see `jacobian`. Of one array only.

    Returns
    -------
    callable
        With f's own signature, so that it fits `hess=` of SciPy's solvers. f runs once: tangents in all directions
        through its reverse mode, for few elements through its forward mode.

    Raises
    ------
    ValueError
        If f's result is not a scalar.
    TypeError
        With `sparse`, if several arrays are to be varied.

    Notes
    -----
    At a kink the second derivatives are those of the first as f computes it, with the slopes it has there: np.abs(x)**2
    has 0 at 0. `kinks("lexicographic")` gives 2; `find_kinks` lists such points.
    """

    def compute(call: Call) -> Any:
        def slopes(*args: Any, **kwargs: Any) -> Any:
            each = gradient_of(Call("hessian", f, call.argnums, args, kwargs), mode)[1]
            return dict(enumerate(leaf for g in each for leaf in flatten(g)[0]))

        call.f = slopes
        if sparse is not False:
            if call.many or len(call.leaves) != 1:
                raise TypeError("hessian: sparse is for one array; put what is to be varied into one")
            mode = "reverse"
            half = sparse_blocks(call, "forward", None, sparse)[1][0][0]
            return ((half + half.T) * 0.5).tocsr()
        mode = "forward" if sum(map(size_of, call.leaves)) <= _FEW or lexicographic() else "reverse"
        values, columns, _ = forward_columns(call, None)
        rows = [call.per_argument(by_leaf(call, c, v)) for c, v in zip(columns, values)]
        if not call.many:
            return call.per_argument(rows)
        return tuple(zip(*(call.per_argument([row[k] for row in rows]) for k in range(len(call.parts)))))

    return transformed("hessian", f, argnums, compute)


_FEW = 8  # elements up to which the gradient inside a Hessian is cheaper in forward mode (measured)


def hvp(f: Function, x: Any, v: Any) -> Any:
    """The product of the Hessian of a scalar function at x with v, without the Hessian: forward over reverse.

    >>> import numpy as np, dualdiff as dd
    >>> dd.hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    array([8., 2.])

    Parameters
    ----------
    f : callable of one argument
        Its result must have shape ().
    x, v : number, array or container, of the same structure and shapes

    Returns
    -------
    Of the structure and shapes of x.

    Raises
    ------
    ValueError
        If f's result is not a scalar, or v does not fit x.

    Notes
    -----
    The derivative of the gradient along v (Pearlmutter, 1994): f runs once.
    """
    check_function("hvp", f, "hvp(f, x, v)")
    mode = "forward" if lexicographic() else "reverse"
    return along("hvp", lambda x: gradient_of(Call("hvp", f, 0, (x,), {}), mode)[1], (x,), (v,))[1]


def directional_derivative(f: Function, x: Any, v: Any, order: int = 1) -> Any:
    """The derivative of f at x along v, d/dt f(x + t v) at t = 0; v is taken as it is, not scaled to length 1.

    >>> import dualdiff as dd
    >>> dd.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 1.0])
    5.0

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
    >>> dd.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 1.0], order=2)
    2.0
    """
    name = "directional_derivative"
    order = check_order(name, order)
    if order == 0:
        return along(name, f, (x,), (v,))[0]
    if order < 3 or lexicographic():  # nesting costs 2**order, jets order**2
        g = f
        for _ in range(order - 1):
            g = lambda x, g=g: along(name, g, (x,), (v,))[1]
        return along(name, g, (x,), (v,))[1]
    check_function(name, f, f"{name}(f, x, v)")
    call = Call(name, f, 0, (x,), {})
    leaves, rebuild = series_along(call, fitting(name, "v", v, "x", x, call.leaves)[0], order)
    return rebuild([number(c[order] * float(math.factorial(order))) for c in leaves])


def divergence(f: Function, argnums: int = 0) -> Function:
    """The divergence of a vector field: the sum of its slopes df_i / dx_i.

    >>> import numpy as np, dualdiff as dd
    >>> dd.divergence(lambda x: x**2)(np.array([1.0, 2.0, 3.0]))
    12.0

    Parameters
    ----------
    f : callable
        Its result must have the argument's shape.
    argnums : int
        Which argument is the position.

    Returns
    -------
    callable
        With f's own signature; it returns a number. f runs once. Of more than 128 elements tangents are row-local, as
        `jacobian` says, so that a field of local interactions may have millions.

    Raises
    ------
    ValueError
        If the result has another shape than the argument.
    TypeError
        If the argument is a container, or argnums no int.
    """
    return transformed("divergence", f, argnums, lambda call: _traces(_position(call), field=True))


def curl(f: Function, argnums: int = 0) -> Function:
    """The curl of a vector field: in three dimensions a vector, in two the number df_1/dx_0 - df_0/dx_1.

    >>> import numpy as np, dualdiff as dd
    >>> dd.curl(lambda x: np.array([-x[1], x[0], 0.0]))(np.array([1.0, 2.0, 3.0]))
    array([0., 0., 2.])

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
    >>> dd.curl(lambda x: np.array([-x[1], x[0]]))(np.array([1.0, 2.0]))
    2.0
    """

    def compute(call: Call) -> Any:
        shape = shape_of(_position(call).leaves[0])
        if shape not in ((2,), (3,)):
            raise ValueError(f"curl: the argument must be an array of 2 or 3 numbers, not of shape {shape}")
        values, columns, _ = forward_columns(call, None)
        _check_field(call, values)
        J = by_leaf(call, columns[0], values[0])[0]
        turn = J.T - J + 0.0  # no -0.0
        return number(turn[0, 1]) if len(J) == 2 else np.stack([turn[1, 2], turn[2, 0], turn[0, 1]])

    return transformed("curl", f, argnums, compute)


def _position(call: Call) -> Call:
    """The call, if one array, or number, is to be varied."""
    if call.many:
        raise TypeError(f"{call.name}: argnums must be an int, not {call.argnums!r}")
    (leaves, _), given = call.parts[0], call.args[call.argnums[0]]
    if len(leaves) != 1 or leaves[0] is not given:
        raise TypeError(f"{call.name}: the argument is a container; put the coordinates into one array")
    return call


def _check_field(call: Call, values: list[Any]) -> None:
    shape, found = shape_of(call.leaves[0]), [shape_of(v) for v in values]
    if found != [shape]:
        what = f"of shape {found[0]}" if len(found) == 1 else f"{len(found)} arrays"
        raise ValueError(
            f"{call.name}: the result must have the argument's shape {shape}, but it is {what}; use jacobian"
        )


def _traces(call: Call, field: bool) -> Any:
    """The sum of dg_i / dx_i for each leaf of the result, whose last axes are those of the argument x."""
    (x,) = call.leaves
    shape, n = shape_of(x), size_of(x)
    values, columns, rebuild = forward_columns(call, None)
    if field:
        _check_field(call, values)
    results = []
    for v, t in zip(values, columns):
        out = shape_of(v)[: len(shape_of(v)) - len(shape)]
        if isinstance(t, RowLocal) and not is_complex(x):
            own = np.arange(1, n + 1).reshape(shape)  # as row-local tangents number the directions
            zero, axes = dtype_of(v).type(0), tuple(range(-len(shape), 0))
            diagonal = [np.sum(np.where(s == own, w, zero), axis=axes) for s, w in t.terms]
            results.append(sum(diagonal, np.zeros(out, dtype_of(v))[()]))
        else:
            J = by_leaf(call, t, v)[0]
            results.append(np.trace(np.reshape(J, (*out, n, n)), axis1=-2, axis2=-1))
    return rebuild([number(r) for r in results])


def laplacian(f: Function, argnums: int = 0) -> Function:
    """The Laplacian, the sum of the unmixed second derivatives; of an array of results, of each.

    >>> import numpy as np, dualdiff as dd
    >>> dd.laplacian(lambda x: np.sum(x**4))(np.array([1.0, 2.0]))
    60.0

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
    """

    def compute(call: Call) -> Any:
        call.f = lambda *args, **kwargs: jacobian_of(Call("laplacian", f, argnums, args, kwargs), "auto")[1]
        return _traces(_position(call), field=False)

    return transformed("laplacian", f, argnums, compute)
