#!/usr/bin/env python3
"""What one training step asks of a GPU, from the logs of two runs under fake_cuda.cpp, of N steps and of N + 1.

    trace.py LOG_N LOG_N1 [--tf32] [--top 25]

Prints launches, products, copies and allocations of the step between them, the largest kinds of kernel, and what an H100 might take:
a model, not a measurement. Its rates stand below; set them by what the device shows.
"""
import argparse, collections, re

STREAM, STRIDED, COLUMNS, GATHER = 2.4e12, 15e-12, 20e-12, 1e12  # bytes/s; s an element where indices are computed, and summed down columns; bytes/s
FP32, TF32, BF16, FLOOR = 45e12, 350e12, 650e12, 2.2e-6                          # products, flop/s; s a kernel
HOST = {"L": 2.2e-6, "K": 2.2e-6, "G": 4e-6, "A": 1.4e-6, "E": 0.5e-6, "H": 3e-6, "C": 2e-6, "M": 2e-6, "D": 15e-6, "S": 5e-6}  # s a call of the driver


def cost(line, tf32):
    """(kind, seconds on the device, bytes, flops) of a line of the log."""
    f = line.split()
    if f[0] == "G":
        m, n, k, b = map(int, f[1:5]); flops = 2.0 * m * n * k * b; half = f[5] == "14"; bytes_ = (2 if half else 4) * b * (m * k + k * n + m * n)
        return f"product {m}x{n}x{k}", max(FLOOR * 2, flops / (BF16 if half else TF32 if tf32 else FP32), bytes_ / STREAM), bytes_, flops
    if f[0] in "HCM":
        n = int(f[1]); return {"H": "upload", "C": "copy", "M": "zero"}[f[0]], max(FLOOR, n * (2 if f[0] == "C" else 1) / STREAM) if f[0] != "H" else FLOOR, n * (2 if f[0] == "C" else 1), 0
    if f[0] == "K":
        return f[1], max(FLOOR, int(f[2]) / STREAM), int(f[2]), 0
    name, n, strided, blocks = f[1], int(f[2]), int(f[3]), int(f[4])
    op = re.sub(r"_(f32|u8|u32|i64)$", "", name)
    if op.startswith("fast_"):
        columns = strided > 32 and blocks < 4096 and n > 1 << 20
        return op + (" down columns" if columns else ""), max(FLOOR, n * (COLUMNS if columns else STRIDED), blocks * 1.2e-9), 4 * n, 0
    reads = 3 if op[0] == "b" else 2.25 if op.startswith(("ge", "cast")) else 1 if op.startswith(("const", "fill")) else 2
    bytes_ = 4 * n * reads
    if op.startswith(("gather", "sa_", "ia_", "is_")):
        return op, max(FLOOR, 12 * n / GATHER, 1e-4 if op.startswith("sa_") and n > 1 << 12 else 0), 12 * n, 0
    return op + (" strided" if strided else ""), max(FLOOR, bytes_ / STREAM, n * STRIDED if strided else 0), bytes_, 0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("shorter"); ap.add_argument("longer"); ap.add_argument("--tf32", action="store_true"); ap.add_argument("--top", type=int, default=25)
    ap.add_argument("--limits", help="launches, GB of traffic, GiB at the peak and uploads of a step; a tenth above is a failure, and so is any read-back")
    a = ap.parse_args()
    count = lambda path: collections.Counter(re.sub(r"^A (\d+) \d+$", r"A \1", l.strip()) for l in open(path) if l[0] in "LKGHCMADES")
    peak = max(int(l.split()[2]) for l in open(a.longer) if l[0] == "A")
    step = count(a.longer); step.subtract(count(a.shorter))
    calls, kinds, host = collections.Counter(), collections.defaultdict(lambda: [0, 0.0, 0.0, 0.0]), 0.0
    for line, n in step.items():
        calls[line[0]] += n; host += n * HOST[line[0]]
        if line[0] in "LKGHCM":
            kind, s, b, fl = cost(line, a.tf32)
            k = kinds[kind]; k[0] += n; k[1] += n * s; k[2] += n * b; k[3] += n * fl
    uploads = sum(n * int(l.split()[1]) for l, n in step.items() if l[0] == "H")
    total = [sum(k[i] for k in kinds.values()) for i in range(4)]
    calls["L"] += calls.pop("K", 0)
    names = {"L": "kernels", "G": "products", "H": "uploads", "C": "copies", "M": "zeroings", "A": "allocations", "E": "events", "D": "readbacks", "S": "waits"}
    print(", ".join(f"{calls[c]} {names[c]}" for c in names if calls[c]), f"({uploads / 1e6:.1f} MB up)")
    print(f"memory at the peak {peak / 2**30:.2f} GiB, traffic {total[2] / 1e9:.1f} GB, {total[3] / 1e9:.0f} Gflop in products")
    print(f"model of an H100: device {total[1] * 1e3:.1f} ms, driver calls on the host {host * 1e3:.1f} ms")
    for kind, k in sorted(kinds.items(), key=lambda x: -x[1][1])[: a.top]:
        print(f"{k[1] * 1e3:8.2f} ms {k[0]:6d} x {kind:34s} {k[2] / 1e9:7.2f} GB {k[3] / 1e9:8.0f} Gflop")

    if a.limits:
        found = [calls["L"] + calls["G"], total[2] / 1e9, peak / 2**30, calls["H"]]
        limits = [float(v) for v in a.limits.split(",")]
        for name, v, limit in zip(["launches", "GB of traffic", "GiB at the peak", "uploads"], found, limits):
            if v > limit * 1.1:
                raise SystemExit(f"{v:.2f} {name}, and {limit} are allowed")
        if calls["D"]:
            raise SystemExit(f"{calls['D']} read-backs, and none is allowed")


if __name__ == "__main__":
    main()
