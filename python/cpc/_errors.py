"""What is raised, and what is warned of."""

from ._names import in_python


class Error(Exception):
    """The work failed. The first line says what is wrong, the last what to do about it.

    Attributes
    ----------
    result : Result or None
        What was found all the same, such as the description of data that have problems.
    """

    result = None

    def __init__(self, *args):
        super().__init__(*(in_python(arg) if isinstance(arg, str) else arg for arg in args))


class UsageError(Error, ValueError):
    """An argument or a setting cannot be used as given."""


class Warning(UserWarning):  # noqa: A001 - people write cpc.Warning
    """Something that you should know of a result."""
