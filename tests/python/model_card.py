"""Checks a model card: its header, and that its PyTorch program computes the features.

    python tests/python/model_card.py README.md model.safetensors audio.npy z.npy c.npy

Takes the program out of the card as a reader would, runs it beside the weights, and compares the z (B, T, D) and c (B, T, H) that it
computes from audio (B, samples) with those given: every number within 1e-5, or it ends with 1. Needs torch, safetensors and numpy; with
PyYAML it parses the header, and with huggingface_hub as that client does. Nothing is fetched: a card that names its repository gets the
file given.
"""

import os
import re
import shutil
import sys
import tempfile
import types

import numpy
import torch

TOLERANCE = 1e-5


def header(card):
    found = re.match(r"---\n(.*?)\n---\n", card, re.S)
    if not found:
        sys.exit("the card has no header")
    try:
        import yaml
    except ImportError:
        return "not parsed (no PyYAML)"
    data = yaml.safe_load(found.group(1))
    assert data["library_name"] == "cpc-toolkit" and data["pipeline_tag"] == "feature-extraction", data
    try:
        import huggingface_hub
    except ImportError:
        return "parsed by PyYAML"
    read = huggingface_hub.ModelCard(card).data
    assert read.library_name == "cpc-toolkit" and read.tags == data["tags"]
    given = sum(len(result["metrics"]) for model in data.get("model-index", []) for result in model["results"])
    assert len(read.eval_results or []) == given
    return f"parsed by huggingface_hub {huggingface_hub.__version__}, {given} metrics"


def program(card):
    found = [code for code in re.findall(r"```python\n(.*?)```", card, re.S) if "class CPC(" in code]
    if len(found) != 1:
        sys.exit(f"the card has {len(found)} PyTorch programs")
    return found[0]


def run(code, weights):
    """What the program defines, run in a directory that holds the weights; a download gives them too."""
    here = os.getcwd()
    hub, before = types.ModuleType("huggingface_hub"), sys.modules.get("huggingface_hub")
    hub.hf_hub_download = lambda repo, file: file
    with tempfile.TemporaryDirectory() as directory:
        shutil.copyfile(weights, os.path.join(directory, "model.safetensors"))
        os.chdir(directory)
        sys.modules["huggingface_hub"] = hub
        try:
            names = {}
            exec(compile(code, "card", "exec"), names)
            return names
        finally:
            os.chdir(here)
            del sys.modules["huggingface_hub"]
            if before is not None:
                sys.modules["huggingface_hub"] = before


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    path, weights, *arrays = sys.argv[1:]
    card = open(path, encoding="utf-8").read()
    audio, *expected = (numpy.load(array) for array in arrays)
    print(f"header: {header(card)}")
    model = run(program(card), weights)["model"]
    with torch.no_grad():
        computed = [x.numpy() for x in model(torch.from_numpy(audio))]
    worst = []
    for name, ours, theirs in zip("zc", computed, expected):
        assert ours.shape == theirs.shape, f"{name} is {ours.shape}, not {theirs.shape}"
        worst.append(float(numpy.abs(ours - theirs).max()))
        print(f"{name} {ours.shape}: largest difference {worst[-1]:.2e}")
    print(f"torch {torch.__version__}")
    sys.exit(0 if all(w <= TOLERANCE for w in worst) else 1)  # a NaN is not


if __name__ == "__main__":
    main()
