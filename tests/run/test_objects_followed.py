"""Methods and objects in a second run: copies of their classes find what takes tangents, and nothing is changed."""

from __future__ import annotations

import abc
import enum
import functools
import gc
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import dualdiff as dd


class Kind(enum.Enum):
    SINE = 1


class Unknown(Exception):
    pass


class Model:
    k = 2.0
    kind = Kind.SINE

    def __init__(self) -> None:
        self.w, self.calls = np.array([1.0, 2.0, 3.0]), 0

    def rhs(self, t: Any) -> Any:
        self.calls += 1
        if self.kind is not Kind.SINE:
            raise Unknown
        return math.sin(t) * self.k

    def __call__(self, t: Any) -> Any:
        return math.exp(t) * self.w

    def filled(self, t: Any) -> Any:
        y = np.zeros(2)
        y[1] = self.rhs(t)
        return y

    @functools.cached_property
    def third(self) -> float:
        return math.sqrt(9.0)

    @property
    def half(self) -> Any:
        return lambda t: math.cos(t) / 2

    @staticmethod
    def static(t: Any) -> Any:
        return math.tan(t)

    @classmethod
    def made(cls, t: Any) -> Any:
        return cls().rhs(t)

    def copied(self) -> Any:
        assert isinstance(self, Model) and issubclass(type(self), Model)
        return type(self)()


class Shifted(Model):
    def rhs(self, t: Any) -> Any:
        return super().rhs(t) + math.cos(t)


class Other:
    def rhs(self, t: Any) -> Any:
        return math.exp(t)


class Both(Shifted, Other):
    def rhs(self, t: Any) -> Any:
        return super().rhs(t) * Other.rhs(self, t)


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self, r: Any) -> Any: ...


class Disc(Shape):
    def area(self, r: Any) -> Any:
        return math.pi * math.pow(r, 2)


@dataclass
class Pump:
    speed: float = 3.0
    model: Model = field(default_factory=Model)

    def head(self, q: Any) -> Any:
        return math.pow(q, 2) * self.speed + self.model.rhs(q)


class Layer:
    def __init__(self, act: Callable[[Any], Any]) -> None:
        self.act = act

    def through(self, t: Any) -> Any:
        return self.act(t)


FUNCTIONS = {"sine": lambda t: math.sin(t), "log": math.log}
LIST = [math.sin, lambda t: math.cos(t)]


class Layers:
    def __init__(self) -> None:
        self.layers = [Layer(math.sin), Layer(lambda t: math.cos(t))]

    def through(self, t: Any) -> Any:
        for layer in self.layers:
            t = layer.through(t)
        return t


class Answer:
    def __init__(self, t: Any) -> None:
        self.t = math.log(t)


def caught(t: Any) -> Any:
    unknown = Model()
    unknown.kind = None  # type: ignore[assignment]
    try:
        return unknown.rhs(t)
    except Unknown:
        return math.sin(t)


model, shifted, both, pump, shape = Model(), Shifted(), Both(), Pump(), Disc()
MODELS = (Model(), Shifted())
s, c, e = (lambda t: math.sin(t)), (lambda t: math.cos(t)), math.exp
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[float], Any]]] = {
    "a method": (lambda t: model.rhs(t), lambda t: 2 * c(t)),
    "as f": (model.rhs, lambda t: 2 * c(t)),
    "an object as f": (model, lambda t: e(t) * np.array([1, 2, 3])),
    "partial": (functools.partial(Model.rhs, model), lambda t: 2 * c(t)),
    "into a buffer": (lambda t: model.filled(t), lambda t: [0, 2 * c(t)]),
    "cached": (lambda t: math.sin(t) * model.third, lambda t: 3 * c(t)),
    "a property": (lambda t: model.half(t), lambda t: -s(t) / 2),
    "static": (lambda t: model.static(t) + Model.static(t), lambda t: 2 / c(t) ** 2),
    "of the class": (lambda t: Model.made(t) + model.made(t), lambda t: 4 * c(t)),
    "type(self)": (lambda t: model.copied().rhs(t), lambda t: 2 * c(t)),
    "super": (lambda t: shifted.rhs(t), lambda t: 2 * c(t) - s(t)),
    "two bases": (lambda t: both.rhs(t), lambda t: e(t) * (2 * s(t) + c(t) + 2 * c(t) - s(t))),
    "abstract": (lambda t: shape.area(t) * isinstance(shape, Shape), lambda t: 2 * math.pi * t),
    "an object's object": (lambda t: pump.head(t), lambda t: 6 * t + 2 * c(t)),
    "a function in an object": (Layer(lambda t: math.sin(t)).through, lambda t: c(t)),
    "a dict": (lambda t: FUNCTIONS["sine"](t) + FUNCTIONS.get("log", abs)(t), lambda t: c(t) + 1 / t),
    "a list": (lambda t: sum(g(t) for g in LIST), lambda t: c(t) - s(t)),
    "objects in a list": (lambda t: sum(m.rhs(t) for m in MODELS), lambda t: 4 * c(t) - s(t)),
    "a list in an object": (Layers().through, lambda t: -s(math.sin(t)) * c(t)),
    "made inside": (lambda t: Answer(t).t, lambda t: 1 / t),
    "kinds": (lambda t: math.sin(t) * isinstance(model, Model) * isinstance(both, Shifted), lambda t: c(t)),
    "an error": (caught, lambda t: c(t)),
}


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("name", CASES)
def test_slopes(name: str, mode: str) -> None:
    f, due = CASES[name]
    for t in (0.7, 1.1):
        np.testing.assert_allclose(dd.jacobian(f, mode=mode)(t), due(t), rtol=1e-13)


def differentiated() -> None:
    own = Model()
    kept = dict(vars(own))
    dd.derivative(lambda t: own.rhs(t) * own.third)(0.7)
    assert type(own) is Model and own.rhs.__func__ is Model.rhs  # type: ignore[attr-defined]
    assert vars(own).keys() == kept.keys() | {"third"} and own.w is kept["w"] and own.calls >= 1


def test_nothing_that_exists_is_changed() -> None:
    before, classes = dict(vars(Model)), Model.__subclasses__()
    differentiated()
    gc.collect()
    assert dict(vars(Model)) == before and Model.__subclasses__() == classes


class Counted:
    calls = 0

    def rhs(self, t: Any) -> Any:
        self.calls += 1
        return math.sin(t)


def test_a_second_run_is_remembered() -> None:
    counted = Counted()
    for f in (counted.rhs, functools.partial(counted.rhs), lambda t: counted.rhs(t)):
        g = dd.jacobian(f)
        g(0.7)
        before = counted.calls
        g(0.9)
        assert counted.calls == before + 1


class Slots:
    __slots__ = ("k",)

    def rhs(self, t: Any) -> Any:
        return math.sin(t) * self.k


class Registered:
    found: list[Any] = []  # noqa: RUF012

    def __init_subclass__(cls) -> None:
        Registered.found.append(cls)

    def rhs(self, t: Any) -> Any:
        return math.sin(t)


@pytest.mark.parametrize("kind", [Slots, Registered])
def test_what_cannot_be_copied_keeps_its_error(kind: Any) -> None:
    x = kind()
    with pytest.raises(dd.TangentLossError, match=r"test_objects_followed\.py:\d+"):
        dd.derivative(lambda t: x.rhs(t))(0.7)
    assert not Registered.found


def test_lists_and_dicts_stay_as_they_are() -> None:
    """What f writes into a list of functions is not lost in a copy: it raises, and the list is as it was."""
    steps = [math.sin]

    def grows(t: Any) -> Any:
        steps.append(math.cos)
        return steps[0](t)

    with pytest.raises(TypeError):
        dd.derivative(grows)(0.5)
    assert set(steps) <= {math.sin, math.cos}
    kinds = {"f": math.sin}

    def asks(t: Any) -> Any:
        return kinds["f"](t) if isinstance(kinds, dict) and isinstance(LIST, list) else t

    assert dd.derivative(asks)(0.5) == math.cos(0.5)
    assert kinds == {"f": math.sin} and type(kinds) is dict
