"""What the documentation and the examples show runs."""

import pathlib
import re
import runpy

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A directory with the data of the repository."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_documentation_run(elsewhere):
    pytest.importorskip("sklearn")
    text = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 6
    shared = {}
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, "docs/python.md", "exec"), shared)


def example(name):
    return runpy.run_path(str(ROOT / "python" / "examples" / f"{name}.py"))


def test_the_example_of_sensors_runs(elsewhere):
    pytest.importorskip("pandas")
    assert example("sensors")["main"]() == 5
    assert (elsewhere / "pairs.svg").read_text().startswith("<svg")


def test_the_example_of_a_folder_runs(elsewhere, run, demo):
    pytest.importorskip("sklearn")
    assert example("classify_folder")["main"](run, demo) > 0.5
