"""Search spaces in one neutral description, from which each method's own is made.

A space is a list of Parameter, parents before their children. A point is a dictionary of the parameters that are active in it:
floats, ints, strings and bools by name. Nothing here needs more than the standard library, as each peer's environment reads it too.
"""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter. kind: "double", "integer" (both in [low, high], inclusive), "categorical" (values), "boolean".

    log: searched by its logarithm (low > 0). parent, parent_values: active only while the parent has one of these values.
    """
    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    values: tuple = ()
    parent: str = ""
    parent_values: tuple = ()

    @property
    def choices(self):
        """Values of a categorical or boolean parameter."""
        return (False, True) if self.kind == "boolean" else self.values

    @property
    def numeric(self):
        return self.kind in ("double", "integer")

    def from_unit(self, unit):
        """The value at `unit` in [0, 1] on the parameter's axis; every integer owns an equal share of a linear one."""
        if not self.numeric:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        low, high = (self.low - 0.5, self.high + 0.5) if self.kind == "integer" else (self.low, self.high)
        if self.log:
            value = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        else:
            value = low + unit * (high - low)
        return self.clip(value)

    def to_unit(self, value):
        """The inverse of from_unit, for numbers."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.kind == "integer" else (self.low, self.high)
        if self.log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)

    def clip(self, value):
        """The nearest value of the domain to a number."""
        value = min(max(value, self.low), self.high)
        return int(math.floor(value + 0.5)) if self.kind == "integer" else float(value)


def double(name, low, high, log=False, **parent):
    return Parameter(name, "double", float(low), float(high), log, **parent)


def integer(name, low, high, log=False, **parent):
    return Parameter(name, "integer", low, high, log, **parent)


def categorical(name, values, **parent):
    return Parameter(name, "categorical", values=tuple(values), **parent)


def boolean(name, **parent):
    return Parameter(name, "boolean", **parent)


def is_active(parameter, point):
    """Whether the parameter exists at a point that holds all parameters before it."""
    return not parameter.parent or (parameter.parent in point and point[parameter.parent] in parameter.parent_values)


def project(space, values):
    """The point of the space that `values` stands for: active parameters only, each in its own type and within its bounds."""
    point = {}
    for parameter in space:
        if not is_active(parameter, point):
            continue
        value = values[parameter.name]
        if parameter.numeric:
            value = parameter.clip(float(value))
        elif parameter.kind == "boolean":
            value = bool(value)
        point[parameter.name] = value
    return point


def draw(space, uniform):
    """A random point: uniform() gives numbers in [0, 1)."""
    point = {}
    for parameter in space:
        if is_active(parameter, point):
            point[parameter.name] = parameter.from_unit(uniform())
    return point


def to_json(space):
    return [dataclasses.asdict(parameter) for parameter in space]


def from_json(rows):
    return [Parameter(**{**row, "values": tuple(row["values"]), "parent_values": tuple(row["parent_values"])}) for row in rows]
