"""Commands, their options, and the names of these in Python."""

import functools
import json
import re

from . import _cpc

#: Those that Python has a meaning for.
_OTHERS = {"from": "from_", "set": "settings"}


@functools.cache
def commands():
    """The commands by their words."""
    return {" ".join(command["path"]): command for command in json.loads(_cpc.commands())}


@functools.cache
def options(command):
    """The options of a command by name."""
    return {option["name"]: option for option in commands()[command]["options"]}


@functools.cache
def _flags():
    """All flags: those with words to choose from, longest first, and a pattern of all of them."""
    every = [option for command in commands() for option in options(command).values() if option["long"]]
    chosen = {(option["long"], value) for option in every for value in option["values"]}
    names = sorted({option["long"] for option in every}, key=len, reverse=True)
    return sorted(chosen, key=lambda pair: -len(pair[1])), re.compile(rf"(?<![\w/.-])--({'|'.join(names)})(?![\w-])")


def python_name(name):
    """An option's name in Python."""
    return _OTHERS.get(name, name.replace("-", "_"))


def in_python(text):
    """A text of the command line with arguments in place of flags. What stands in backticks is a command or a name, and stays."""
    text = text.replace("problem, listed above", "problem, listed in its result").replace("listed above", "listed in its result")
    parts = text.split("`")
    return "`".join(_translated(part) if i % 2 == 0 else part for i, part in enumerate(parts))


def _translated(text):
    chosen, flags = _flags()
    if "--" not in text:
        return text
    for long, value in chosen:
        text = re.sub(rf"(?<![\w/.-])--{long}[ =]{re.escape(value)}(?![\w-])", f'{python_name(long)}="{value}"', text)
    text = re.sub(flags.pattern + r" <?([A-Z]+)>?(?![a-z])", lambda found: f"{python_name(found[1])}={found[2]}", text)
    return flags.sub(lambda found: python_name(found[1]), text)
