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
            plain = re.sub("`[^`]*`", "", about or "")
            assert about and not re.search(r"--[a-z]|\b(DIR|DATA|INPUT|FEATURES|FILE|WHAT|MODEL|RUN)\b|; may be repeated|exit code", plain), name


def test_the_command_starts_without_numpy():
    code = "import sys, cpc; assert 'numpy' not in sys.modules; cpc.mi; assert 'numpy' in sys.modules"
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_work_is_done_where_nothing_can_be_shown():
    estimate = "import numpy as np; x = np.random.default_rng(0).normal(size=(60, 2)); cpc.mi.estimate(x[:, 0], x[:, 1], estimator='ksg')"
    for before in ("sys.stderr = None", "sys.stderr.close()", "sys.stderr = object()"):
        done = python(f"import sys, cpc; {before}; {estimate}; print('done')")
        assert done.stdout == "done\n", done.stderr


def test_threads_are_set_before_anything_is_computed():
    code = """
import os, cpc
assert cpc.threads() >= 1 and cpc.threads(3) == 3 == cpc.threads() and os.environ["RAYON_NUM_THREADS"] == "3"
for wrong in (0, -1, 5000):
    try: cpc.threads(wrong)
    except ValueError as error: assert "from 1 to 1024" in str(error)
    else: raise AssertionError
import numpy as np
x = np.random.default_rng(0).normal(size=(60, 2))
cpc.mi.estimate(x[:, 0], x[:, 1], estimator="ksg")
try: cpc.threads(2)
except cpc.Error as error: assert "3 threads compute already" in str(error)
else: raise AssertionError
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_names_with_dashes_are_left_as_they_are(tmp_path):
    with pytest.raises(cpc.Error, match="run--two"):
        cpc.load(tmp_path / "run--two")
    with pytest.raises(OSError, match="a--json.csv"):
        cpc.mi.matrix(tmp_path / "a--json.csv")
    assert str(cpc.Error("see --json")) == "see --json"


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="not provided: data"):
        cpc.pretrain(out="x")


def test_everything_can_be_imported():
    names = {}
    exec("from cpc import *", names)
    assert {"load", "mi", "Error"} <= set(names) and "Warning" not in names
    assert {"load", "mi", "Warning"} <= set(dir(cpc))
    with pytest.raises(AttributeError):
        cpc.nothing
