"""What is raised, and what is warned of."""


class Error(Exception):
    """The work failed. The first line says what is wrong, the last what to do about it.

    Attributes
    ----------
    result : Result or None
        What was found all the same, such as the description of data that have problems.
    """

    result = None


class UsageError(Error, ValueError):
    """An argument or a setting cannot be used as given."""


class Warning(UserWarning):  # noqa: A001 - people write cpc.Warning
    """Something that you should know of a result. Where warnings are errors, `result` has the result.

    Attributes
    ----------
    result : Result or None
        The result that is warned of.
    """

    result = None


def made(name, text):
    """An error of the library, whose text names flags of the command line."""
    from ._names import in_python

    return {"Error": Error, "UsageError": UsageError}[name](in_python(text))
