"""Progress of long work: one line on a terminal or in a notebook."""

import sys
import time


def _notebook():
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _terminal():
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # none, closed, or another object
        return False


class Progress:
    """Shows how far work is. Nothing is shown of work that is done within a second.

    Parameters
    ----------
    shown : bool or None
        Whether it is shown; None for terminals and notebooks.
    """

    WIDTH = 24

    def __init__(self, shown=None):
        self._notebook = _notebook()
        self._shown = (self._notebook or _terminal()) if shown is None else shown
        self._handle = None
        self._length = 0
        self._began = time.monotonic()
        self._first, self._of = 0, 0
        self._message = ""

    def __call__(self, kind, value):
        if not self._shown:
            return
        if kind == "progress":
            what, unit, done, of = value
            self._bar(done, of, " ".join(word for word in (unit, what) if word))
        elif kind == "start":
            self._first, self._of, _ = value
            self._began = time.monotonic()
        elif kind == "step":
            self._bar(value, self._of, "updates" + self._message, self._first)
        elif kind == "line":
            self._message = f", loss {value['loss']:.4f}"
        elif kind == "done":
            self.close()

    def _bar(self, done, of, unit, first=0):
        spent = time.monotonic() - self._began
        if spent < 1:
            return
        if of:
            full = int(self.WIDTH * done / of)
            left = spent * (of - done) / (done - first) if done > first else 0
            text = f"[{'#' * full}{'.' * (self.WIDTH - full)}] {done:.0f} of {of:.0f} {unit}, {_time(left)} left"
        else:
            text = f"{done:.0f} {unit}"
        self._show(text)

    def _show(self, text):
        if not self._notebook:
            self._write("\r" + text + " " * max(0, self._length - len(text)))
            self._length = len(text)
            return
        from IPython.display import display

        shown = {"text/plain": text}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def _write(self, text):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):  # closed: the work is not about this
            self._shown = False

    def close(self):
        """Removes the line."""
        if self._length:
            self._write("\r" + " " * self._length + "\r")
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
        self._length, self._handle = 0, None


def _time(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
