"""The names of options in Python."""

import re

#: Those that Python has a meaning for.
_OTHERS = {"from": "from_", "set": "settings"}


def python_name(name):
    """An option's name in Python."""
    return _OTHERS.get(name, name.replace("-", "_"))


def in_python(text, options=()):
    """A text of the command line with the names of arguments in place of those of flags. What stands in backticks is a command, and stays."""
    parts = text.split("`")
    return "`".join(_translated(part, options) if i % 2 == 0 else part for i, part in enumerate(parts))


def _translated(text, options):
    for option in options:
        for value in option["values"]:
            text = re.sub(rf"--{option['long']}[ =]{re.escape(value)}\b", f'{python_name(option["long"])}="{value}"', text)
    return re.sub(r"--([a-z][a-z0-9-]*)", lambda found: python_name(found[1]), text)
