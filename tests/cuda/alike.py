#!/usr/bin/env python3
"""Whether two runs or two directories of features are alike: alike.py NAME TOLERANCE A B"""
import json
import math
import pathlib
import struct
import sys


def lines(path):
    """Losses, gradients and validations of a run's metrics."""
    kept = ("loss", "grad_norm", "accuracy")
    return [[line[k] for k in kept if k in line] for line in map(json.loads, open(path))]


def arrays(directory):
    """The floats of every .npy file."""
    out = []
    for path in sorted(pathlib.Path(directory).rglob("*.npy")):
        data = path.read_bytes()
        start = 10 + struct.unpack_from("<H", data, 8)[0]
        out.append(struct.unpack(f"<{(len(data) - start) // 4}f", data[start:]))
    return out


name, tolerance, *paths = sys.argv[1:]
a, b = map(arrays if pathlib.Path(paths[0]).is_dir() else lines, paths)
if not a or [len(x) for x in a] != [len(y) for y in b]:
    sys.exit(f"{name}: {len(a)} and {len(b)} lines, or of different lengths")
worst = 0.0
for x, y in zip(a, b):
    for v, w in zip(x, y):
        if not (math.isfinite(v) and math.isfinite(w)):
            sys.exit(f"{name}: not finite: {v} and {w}")
        worst = max(worst, abs(v - w) / max(1.0, abs(v)))
print(f"{name}: alike to {worst:.1e}, {len(a)} lines")
if worst > float(tolerance):
    sys.exit(f"{name}: more than {tolerance}")
