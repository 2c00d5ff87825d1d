"""Progress on terminals and in notebooks."""

import io
import sys
import types

import pytest

from cpc import _progress
from cpc._progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [0.0]
    monkeypatch.setattr(_progress, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_terminal_shows_one_line_and_removes_it(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = Progress()
    bar("progress", ("", "pairs", 1.0, 4.0))
    assert sys.stderr.getvalue() == "", "nothing is shown of short work"
    clock[0] = 10.0
    bar("progress", ("", "pairs", 2.0, 4.0))
    assert sys.stderr.getvalue() == "\r[############............] 2 of 4 pairs, 10 s left"
    bar("done", "")
    assert sys.stderr.getvalue().endswith("\r") and sys.stderr.getvalue().count("\n") == 0


def test_training_shows_its_loss(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = Progress()
    bar("start", (100, 200, "audio_seconds"))
    clock[0] = 60.0
    bar("line", {"loss": 4.5})
    bar("step", 150)
    assert "150 of 200 updates, loss 4.5000, 60 s left" in sys.stderr.getvalue()


def test_a_notebook_shows_one_line_that_changes(monkeypatch, clock):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data["text/plain"])

    def display(data, raw, display_id):
        shown.append(data["text/plain"])
        return Handle()

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    bar = Progress()
    clock[0] = 10.0
    bar("progress", ("", "runs", 1.0, 2.0))
    bar("progress", ("", "runs", 2.0, 2.0))
    bar.close()
    assert [text[-len("runs, 10 s left"):] for text in shown[:1]] == ["runs, 10 s left"] and shown[-1] == "" and len(shown) == 3


def test_nothing_is_shown_where_nobody_looks(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = Progress()
    clock[0] = 10.0
    bar("progress", ("", "runs", 1.0, 2.0))
    assert sys.stderr.getvalue() == ""
    shown = Progress(True)
    clock[0] = 20.0
    shown("progress", ("", "runs", 1.0, 2.0))
    assert "1 of 2 runs" in sys.stderr.getvalue()
