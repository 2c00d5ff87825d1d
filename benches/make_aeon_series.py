#!/usr/bin/env python3
"""Makes corpora of series from the data sets in the PyPI package aeon, without installing it:

    pip download --no-deps aeon
    python3 make_aeon_series.py aeon-*.whl BasicMotions OUT

OUT/recordings/rNNNN.csv has one row per sample, with a column of times where the rate is known; OUT/labels.tsv has the class of each recording,
OUT/train.txt and OUT/test.txt the division of the archive. The data sets are those of the UEA & UCR archive (timeseriesclassification.com).
"""

import argparse
import pathlib
import zipfile

# Samples per second, and the names of the channels, where the archive says them.
KNOWN = {
    "BasicMotions": (10.0, ["accel_x", "accel_y", "accel_z", "gyro_x", "gyro_y", "gyro_z"]),
    "JapaneseVowels": (156.25, [f"lpcc{i}" for i in range(1, 13)]),  # a frame every 6.4 ms
    "PickupGestureWiimoteZ": (100.0, ["accel_z"]),
}


def cases(text):
    """(channels, label) of each line: channels are lists of values, as text; missing ones are empty."""
    _, _, data = text.partition("@data")
    for line in filter(None, map(str.strip, data.splitlines())):
        *channels, label = line.split(":")
        yield [["" if v == "?" else v for v in channel.split(",")] for channel in channels], label


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel")
    parser.add_argument("name")
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    rate, names = KNOWN.get(args.name, (None, None))
    (args.out / "recordings").mkdir(parents=True)
    labels, number = [], 0
    with zipfile.ZipFile(args.wheel) as wheel:
        for part in ["TRAIN", "TEST"]:
            text = wheel.read(f"aeon/datasets/data/{args.name}/{args.name}_{part}.ts").decode()
            ids = []
            for channels, label in cases(text):
                name = f"r{number:04}"
                ids.append(name)
                number += 1
                labels.append(f"{name}\t{label}\n")
                head = names or [f"x{i}" for i in range(1, len(channels) + 1)]
                with open(args.out / "recordings" / f"{name}.csv", "w") as out:
                    print(",".join((["time"] if rate else []) + head), file=out)
                    for t, row in enumerate(zip(*channels)):
                        print(",".join(([f"{t / rate:.10g}"] if rate else []) + list(row)), file=out)
            (args.out / f"{part.lower()}.txt").write_text("".join(f"{i}\n" for i in ids))
    (args.out / "labels.tsv").write_text("".join(labels))


main()
