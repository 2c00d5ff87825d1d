"""ABX errors of our features by fastabx (pip install fastabx), beside those of `cpc abx`: they are equal.

    python fastabx_error.py MODEL FOLDER ITEMS      such as runs/demo data/demo data/demo/triphones.item
"""

import pathlib
import sys
import tempfile

import cpc
import numpy as np
import torch
from fastabx import zerospeech_abx


def main(model, folder, items):
    files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix in (".flac", ".wav"))
    with tempfile.TemporaryDirectory() as out:
        for path, c in zip(files, cpc.load(model).features(files)):
            np.save(f"{out}/{path.stem}.npy", c)
        for row in cpc.abx(out, items, slicing="fastabx", frame_rate=100).rows:
            theirs = zerospeech_abx(
                items, out, speaker=row["mode"], distance="angular", frequency=100, extension=".npy", max_size_group=None, max_x_across=None,
                feature_maker=lambda path: torch.from_numpy(np.load(path)), progress=False,
            )
            print(f"{row['mode']:<8} cpc {100 * row['error']:.4f} %   fastabx {100 * theirs:.4f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
