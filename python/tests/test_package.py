"""The package as a whole: what importing does, the command, what is generated."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import cpc

HERE = pathlib.Path(__file__).parents[1]


def python(code, **env):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})


def test_importing_changes_nothing_in_the_process():
    code = """
import os, signal, sys, threading
import numpy
handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
before, threads, modules = dict(os.environ), threading.active_count(), set(sys.modules)
import cpc
assert dict(os.environ) == before
assert {s: signal.getsignal(s) for s in handlers} == handlers
assert threading.active_count() == threads
assert not {"torch", "sklearn", "pandas", "IPython"} & (set(sys.modules) - modules)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_importing_starts_no_thread():
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("threads are counted in /proc")
    code = "import os, numpy; n = len(os.listdir('/proc/self/task')); import cpc; print(len(os.listdir('/proc/self/task')) - n)"
    assert python(code).stdout.strip() == "0"


def test_importing_takes_a_tenth_of_a_second():
    code = "import time, numpy; t = time.perf_counter(); import cpc; print(time.perf_counter() - t)"
    assert min(float(python(code).stdout) for _ in range(3)) < 0.1


def test_functions_are_those_of_the_commands():
    done = subprocess.run([sys.executable, str(HERE / "generate.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_comes_with_the_package():
    version = subprocess.run([sys.executable, "-m", "cpc", "--version"], capture_output=True, text=True)
    assert version.stdout == f"cpc {cpc.__version__}\n"
    wrong = subprocess.run([sys.executable, "-m", "cpc", "mi", "estimate"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "error:" in wrong.stderr
    missing = subprocess.run([sys.executable, "-m", "cpc", "info", "nowhere"], capture_output=True, text=True)
    assert missing.returncode == 1 and "help:" in missing.stderr


def test_every_function_is_described():
    for module in (cpc, cpc.mi, cpc.hub, cpc.units, cpc.text):
        for name in module.__all__:
            about = getattr(module, name).__doc__
            assert about and not re.search("--[a-z]", re.sub("`[^`]*`", "", about)), name
