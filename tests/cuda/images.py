#!/usr/bin/env python3
"""A few images with labels in MNIST's files, for runs that only have to run: images.py DIRECTORY"""
import pathlib
import random
import struct
import sys

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
draw = random.Random(1)
for part, n in [("train", 64), ("t10k", 32)]:
    labels = [i % 10 for i in range(n)]
    pixels = bytearray()
    for label in labels:
        # A bright bar whose place is the label, on noise.
        for row in range(28):
            pixels += bytes(min(255, draw.randrange(60) + (180 if row // 3 == label else 0)) for _ in range(28))
    (out / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + pixels)
    (out / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + bytes(labels))
