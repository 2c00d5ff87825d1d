"""Writes the functions of the package from the descriptions of the commands, so that both have the same options, defaults and help.

    python generate.py [--check]

--check writes nothing, and fails if a file is not what it would be.
"""

import json
import pathlib
import re
import sys
import textwrap
import types

HERE = pathlib.Path(__file__).parent / "cpc"

# The package itself cannot be imported before it is written: only the modules that are needed here.
_package = types.ModuleType("cpc")
_package.__path__ = [str(HERE)]
sys.modules["cpc"] = _package
try:
    from cpc._names import commands as described, in_python, python_name
except ImportError:
    sys.exit("cpc/_cpc is not built: run `maturin develop` first")

WIDTH = 100

#: The files: what each is, and its functions by the command that they run.
MODULES = {
    "_commands": ("What `cpc` does with models and data.", {
        "pretrain": "pretrain", "extract": "extract", "probe": "probe", "finetune": "finetune", "predict": "predict", "abx": "abx",
        "convert": "convert", "info": "info",
    }),
    "units": ("Discrete units of a model.", {"units fit": "fit", "units apply": "apply"}),
    "hub": ("Models of the Hugging Face hub.", {"hub pull": "pull", "hub push": "push", "hub list": "cached"}),
    "text": ("Words of text models.", {"text expand": "expand"}),
    "mi": ("Mutual information: how much one variable says about another.", {
        f"mi {name}": name for name in (
            "estimate", "matrix", "select", "transfer", "discrete", "features", "plane", "bench", "coverage", "staircase", "selfcheck",
            "gaussians",
        )
    }),
}

#: Options of the command line alone.
LEFT_OUT = {
    "extract": {"stream", "encoding"},
    "mi estimate": {"plain"},
}

#: Functions whose first argument is a table.
TABLES = {"mi matrix": "file", "mi select": "file", "mi transfer": "file", "mi discrete": "file"}

#: Options that are joint tables.
JOINT = {"mi discrete": ("joint", "against")}

#: Options that name columns: in a table in memory, these may be numbers or tuples.
TABLE_NAMES = {"x", "y", "given", "from", "to", "columns", "target", "time", "group"}

#: Functions that train: settings are sections, and lines of metrics are told.
TRAINS = {"pretrain", "finetune"}

#: Functions whose result is an estimate.
ESTIMATES = {"mi estimate"}

DATA = ("data", "str, path, DataFrame, dict of arrays or array", "The table: a file, or columns in memory.")


#: What a text of the command line says otherwise in Python.
OTHERWISE = (
    (", or stream them", ""),
    (", or `-` for CSV on standard input", ""),
    ("; may be repeated", ""),
    (" The exit code is 1 if there are any of the last.", " If there are any of the last, an error is raised, whose `result` has all this."),
    ("a table on standard output", "the result has them"),
    ("WHAT is audio", "`what` is audio"),
    ("such as speaker=client_id", "such as {\"speaker\": \"client_id\"}"),
    ("such as text=content", "such as {\"text\": \"content\"}"),
    ("a flag, set", "an argument, settings"),
    (" (the first of them; --json lists all)", ""),
    ("With the same --threads, any", "With the same number of threads, any"),
)


def in_place(text, options):
    """A text of the command line as one about arguments."""
    names = {}
    for option in options:
        for name in option["value_names"] or []:
            names.setdefault(name.split("|")[0].rstrip("."), set()).add(python_name(option["name"]))
    text = in_python(text)
    for name, owners in names.items():
        if len(owners) == 1 and re.fullmatch("[A-Z]{3,}", name) and name not in ("WHAT", "NAME", "HOW"):
            text = re.sub(rf"(?<![`=<\w]){name}(?![`=\w])", f"`{min(owners)}`", text)
    text = re.sub(r"\b(MODEL|DATA|FEATURES|RUN|INPUT|DIR|FILE)\b", lambda found: found[1].lower(), text)
    for old, new in OTHERWISE:
        text = text.replace(old, new)
    return text


def literal(option):
    """An option's default, as Python writes it."""
    if option["flag"]:
        return "False"
    if not option["default"]:
        return "None"
    words = option["default"]
    if option["several"]:
        words = [word for each in words for word in each.split(",")]
    values = [word if option["kind"] in ("int", "float") else repr(word).replace("'", '"') for word in words]
    return f"({', '.join(values)},)" if option["several"] and len(values) > 1 else values[0]


def type_of(option):
    """An option's type, as docstrings have it."""
    if option["flag"]:
        return "bool"
    kind = {"path": "str or path"}.get(option["kind"], option["kind"])
    if option["values"]:
        kind = "{" + ", ".join(f'"{value}"' for value in option["values"]) + "}"
    if option["optional_value"]:
        kind = f"bool or {kind}"
    if option["several"]:
        kind += ", or a list of them"
    return kind if option["required"] else f"{kind}, optional"


def annotation(option):
    """An option's type, as type checkers have it."""
    if option["flag"]:
        return "bool"
    kind = {"path": "str | os.PathLike"}.get(option["kind"], option["kind"])
    if option["values"]:
        kind = "Literal[" + ", ".join(f'"{value}"' for value in option["values"]) + "]"
    if option["optional_value"]:
        kind += " | bool"
    if option["several"]:
        kind += f" | Sequence[{kind}]"
    return kind if option["required"] or option["default"] else f"{kind} | None"


def paragraphs(text, indent):
    """A text in lines of a docstring."""
    text = text.replace("\\", "\\\\")
    lines = []
    for paragraph in text.split("\n\n"):
        for line in paragraph.split("\n"):
            first = len(line) - len(line.lstrip())
            blank = " " * (indent + first)
            lines += textwrap.wrap(line.strip(), WIDTH - 4, initial_indent=blank, subsequent_indent=blank, break_long_words=False) or [""]
        lines.append("")
    return lines[:-1]


def parameter(name, kind, about):
    return [f"    {name} : {kind}", *paragraphs(about, 8)]


def function(name, command):
    path = " ".join(command["path"])
    left_out = LEFT_OUT.get(path, set())
    options = [option for option in command["options"] if option["name"] not in left_out]
    for option in options:
        for key in ("help", "long_help"):
            option[key] = option[key] and in_place(option[key], options)
    positional = sorted((option for option in options if option["position"]), key=lambda option: option["position"])
    named = [option for option in options if not option["position"]]
    table, joint = TABLES.get(path), JOINT.get(path, ())
    sides = path == "mi estimate"
    signature, documented = [], []
    if sides:
        signature.append("*data: Any")
        documented += parameter(
            "*data", "str, path, DataFrame, dict of arrays or array",
            "One table, whose columns `x`, `y` and `given` name; or X, Y and perhaps Z as arrays (rows) or (rows, columns).",
        )
    for option in [] if sides else positional:
        if option["name"] == table:
            signature.append("data: Any" + ("" if option["required"] else " = None"))
            documented += parameter(*DATA)
            continue
        own = python_name(option["name"])
        signature.append(f"{own}: {annotation(option)}" + ("" if option["required"] else " = None"))
        documented += parameter(own, type_of(option), option["long_help"] or option["help"])
    required = [option for option in named if option["required"]]
    optional = [option for option in named if not option["required"]]
    if not sides and (named or path in TRAINS):
        signature.append("*")
    for option in [*required, *optional]:
        if option["name"] == "set":
            signature.append("settings: Mapping[str, Any] | Sequence[str] | None = None")
            documented += parameter(
                "settings", "dict, optional",
                'Keys of the configuration, as in `{"train.lr": 1e-4}`. Sections may also be given as dictionaries of their own: `train={"lr": 1e-4}`.',
            )
            continue
        own, typed = python_name(option["name"]), annotation(option)
        if option["name"] in joint or (sides and option["name"] in ("x", "y", "given", "pointwise")) or option["name"] in TABLE_NAMES:
            typed = "Any" if option["required"] else "Any | None"
        if option["name"] == "column" or (path in TRAINS and option["name"] == "train"):
            typed = f"Mapping[str, Any] | {typed}"
        if option["name"] == "lags":
            typed += " | int | Iterable[int]"
        signature.append(f"{own}: {typed}" + ("" if option["required"] else f" = {literal(option)}"))
        kind, about = type_of(option), option["long_help"] or option["help"]
        if option["name"] in joint:
            kind = "str, path, DataFrame or array, optional"
        if sides and option["name"] in ("x", "y", "given"):
            kind = "str, list of str or array, optional"
            about += "; or an array"
        if sides and option["name"] == "pointwise":
            kind, about = "bool or str, optional", "Whether the result has the pointwise information of each row, in nats, as `pointwise`; or a .npy file to write it to."
        if option["name"] == "column":
            kind, about = "dict, optional", about.replace("WHAT=NAME", "{what: name}")
        if path in TRAINS and option["name"] == "train":
            about += "; or a dictionary: the section `train` of the configuration"
        documented += parameter(own, kind, about)
    if path in TRAINS:
        signature.append("callback: Callable[[dict[str, Any]], Any] | None = None")
        documented += parameter("callback", "callable, optional", "Called with each line of metrics, a dictionary as in metrics.jsonl.")
    signature.append("progress: bool | None = None")
    documented += parameter("progress", "bool, optional", "Whether a progress bar is shown; by default on terminals and in notebooks.")
    if path in TRAINS:
        signature.append("**sections: Mapping[str, Any]")

    given = {}
    for option in named:
        own = python_name(option["name"])
        if option["name"] == "set":
            given["set"] = "_configured(settings, sections)"
        elif option["name"] in joint:
            given[option["name"]] = f'None if {own} is None else _Table("{own}", {own}, joint=True)'
        else:
            given[option["name"]] = own
    if sides:
        body = ["words, chosen = _sides(data, x, y, given, discrete)"]
        rest = {key: value for key, value in given.items() if key not in ("x", "y", "given", "discrete", "pointwise")}
        body += [f"given = {{**chosen, {mapping(rest)}}}", "return _estimated(words, given, pointwise, progress)"]
    else:
        words = []
        for option in positional:
            own = python_name(option["name"])
            if option["name"] == table:
                words.append('_Table("data", data)' if option["required"] else '*([] if data is None else [_Table("data", data)])')
            elif option["several"]:
                words.append(f"*_many({own})")
            elif option["required"]:
                words.append(own)
            else:
                words.append(f"*_many({own})")
        extra = ", tell=callback" if path in TRAINS else ""
        body = []
        if path in TRAINS:
            body += ["if isinstance(train, dict):", '    sections, train = {"train": train, **sections}, None']
        body += [f'return _call("{path}", [{", ".join(words)}], {{{mapping(given)}}}, progress=progress{extra})']
    # The first paragraph often says what the line above it says.
    first, *rest = (command["long"] or command["about"]).split("\n\n")
    same = first.split()[:3] == command["about"].split()[:3]
    rest = [each for each in ([] if same else [first]) + rest if not any(f"--{name}" in each for name in ("json", *left_out))]
    long = in_place("\n\n".join(rest), options)
    about = paragraphs(in_place(command["about"], options).rstrip(".") + ".", 4)
    about[0] = '    """' + about[0].lstrip()
    returned = "Any" if path in ESTIMATES or not path.startswith("mi ") else "Result | Rows"
    text = [f"def {name}(", *(f"    {each}," for each in signature), f") -> {returned}:", *about, ""]
    if long:
        text += [*paragraphs(long, 4), ""]
    kind = "Estimate, or Rows of them where several are compared" if path in ESTIMATES else "Result, Rows or str"
    text += ["    Parameters", "    ----------", *documented, "", "    Returns", "    -------", f"    {kind}"]
    text += [f"        What `cpc {path} --json` prints; printed itself, the table of the command.", '    """']
    text += ["    " + line for line in body]
    return "\n".join(text)


def mapping(given):
    return ", ".join(f'"{key}": {value}' for key, value in given.items())


def wrapped(text):
    """A module with its long lines of code broken at commas."""
    lines = []
    for line in text.split("\n"):
        if len(line) <= WIDTH + 20 or not re.match(r"    return |    given = ", line):
            lines.append(line)
            continue
        blank = " " * (len(line) - len(line.lstrip()) + 4)
        lines += textwrap.wrap(line, WIDTH + 20, subsequent_indent=blank, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def module(about, functions, commands):
    names = sorted(functions.values())
    made = [function(name, commands[path]) for path, name in functions.items()]
    needed = {"_configured": "configured", "_estimated": "estimated", "_many": "many", "_sides": "sides"}
    code = "\n\n\n".join(made)
    used = [f"{name} as {own}" for own, name in needed.items() if f"{own}(" in code]
    imports = [f"from ._arguments import {', '.join(used)}"] if used else []
    if "_call(" in code:
        imports.append("from ._call import call as _call")
    if "_Table(" in code:
        imports.append("from ._tables import Table as _Table")
    signatures = "\n".join(text.split(":\n    \"\"\"")[0] for text in made)
    types = [name for name in ("Any", "Literal") if name in signatures]
    abstract = [name for name in ("Callable", "Iterable", "Mapping", "Sequence") if f"{name}[" in signatures]
    head = [f'"""{about}"""', "", "# Written by generate.py. Change the command, and run it again.", "", "from __future__ import annotations", ""]
    head += ["import os"] if "os.PathLike" in signatures else []
    head += [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
    head += [f"from typing import {', '.join(types)}", ""]
    if "Result | Rows" in signatures:
        imports.insert(-1 if "_Table(" in code else len(imports), "from ._results import Result, Rows")
    head += [*imports, "", f"__all__ = {json.dumps(names)}"]
    return wrapped("\n".join(head) + "\n\n\n" + code + "\n")


def main():
    commands = described()
    known = {path for _, functions in MODULES.values() for path in functions}
    missing = set(commands) - known - {"completions", "man"}
    assert not missing, f"commands without a function: {missing}"
    stale = []
    for name, (about, functions) in MODULES.items():
        path, text = HERE / f"{name}.py", module(about, functions, commands)
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale:
        print(("out of date: " if "--check" in sys.argv else "written: ") + ", ".join(stale))
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
