"""Results of commands as data that print as a terminal shows them."""


class _Shown:
    """What a result has beside its data."""

    def __init__(self, *args, text="", pictures=(), warnings=()):
        super().__init__(*args)
        #: The table that the command prints.
        self.text = text
        #: Pictures of the result, as SVG.
        self.pictures = list(pictures)
        #: What was warned of.
        self.warned = list(warnings)

    def __repr__(self):
        return self.text.rstrip("\n") or super().__repr__()

    __str__ = __repr__

    def _repr_svg_(self):
        return self.pictures[0] if self.pictures else None

    def __reduce__(self):
        return _again, (type(self), self._data(), self.text, self.pictures, self.warned)


def _again(kind, data, text, pictures, warnings):
    return kind(data, text=text, pictures=pictures, warnings=warnings)


class Result(_Shown, dict):
    """A result: a dictionary, whose keys are attributes too, unless a dictionary has a method of that name. It prints as the command does."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name}; it has {', '.join(self)}") from None

    def __dir__(self):
        return [*super().__dir__(), *self]

    def _data(self):
        return dict(self)


class Rows(_Shown, list):
    """Several results of one kind: a list of dictionaries. It prints as the command does."""

    def _data(self):
        return list(self)


class Estimate(Result):
    """An estimate of mutual information. `float(estimate)` is its value.

    Attributes
    ----------
    value : float
        The estimate, in `unit`.
    interval : tuple of float or None
        The 95 % interval.
    unit : str
        nats, bits or hartleys.
    estimator, method : str
        The estimator that was asked for, and how it got the value.
    p_value : float or None
        With permutations: how often independent data give as much.
    warnings : list of str
        What you should know of the value.
    """

    def __float__(self):
        return float("nan") if self["estimate"] is None else float(self["estimate"])

    def __format__(self, spec):
        return format(float(self), spec) if spec else str(self)

    def __round__(self, digits=None):
        return round(float(self), digits)

    @property
    def p_value(self):
        """With permutations: how often independent data give as much; otherwise None."""
        return self.get("p_value")

    @property
    def value(self):
        """The estimate, in `unit`."""
        return float(self)

    @property
    def interval(self):
        """The 95 % interval, or None."""
        return None if self["ci95"] is None else tuple(self["ci95"])
