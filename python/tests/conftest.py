"""A small model, trained once, and what the tests share."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import cpc

DEMO = pathlib.Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="session")
def demo():
    """Recordings of four speakers."""
    return DEMO


@pytest.fixture(scope="session")
def recordings(demo):
    """The names of four recordings, of two speakers."""
    return [str(path) for speaker in ("slt", "awb") for path in sorted((demo / speaker).glob("*.flac"))[:2]]


@pytest.fixture(scope="session")
def run(tmp_path_factory, demo):
    """A run of few updates."""
    out = tmp_path_factory.mktemp("runs") / "demo"
    cpc.pretrain(demo, out=out, preset="demo", steps=12, batch_size=4, settings={"data.window": 8000}, train={"log_every": 4})
    return out


@pytest.fixture(scope="session")
def samples():
    """Two seconds of a tone that rises, and noise."""
    t = np.arange(32000) / 16000
    noise = np.random.default_rng(0).normal(size=len(t))
    return (0.3 * np.sin(2 * np.pi * (200 + 100 * t) * t) + 0.02 * noise).astype(np.float32)


@pytest.fixture(scope="session")
def pair():
    """x (500, 2), and y, which the first column of x informs about."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    return x, x[:, 0] + 0.5 * rng.normal(size=500)


@pytest.fixture(scope="session")
def command():
    """Runs the command `cpc`, and returns what it prints as JSON."""

    def run_command(*args):
        process = subprocess.run(
            [sys.executable, "-m", "cpc", *map(str, args), "--json"], capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return run_command
