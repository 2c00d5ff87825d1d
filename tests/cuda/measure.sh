#!/usr/bin/env bash
# Checks and measures cpc on a machine with an NVIDIA GPU, from the root of the checkout, with what pack.sh made: bash .gpu/measure.sh
#   measure.sh [check] [speed] [profile] [torch] [features]       (all without arguments, in this order)
# Every part has its own limit, a part that fails stops none of the others, and none begins after $LIMIT seconds (default: 480). All results and
# logs are in $OUT/results.tgz (default: /tmp/gpu-out), which is written after each part.
set -uo pipefail
results=${OUT:-/tmp/gpu-out}; OUT=/tmp/gpu-logs; mkdir -p "$OUT" "$results"
here=$(cd "$(dirname "$0")" && pwd); work=/tmp/cpc-gpu; mkdir -p $work
parts=${*:-check speed profile torch features}
nvidia-smi -L; nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader

# The libraries: PyTorch's, then the toolkit's; the driver's own folder for libcuda.so.1.
site=$(python3 -c 'import nvidia; print(":".join(p + "/cu13/lib" for p in nvidia.__path__))' 2>/dev/null)
export CUDA_CACHE_PATH=/tmp/cuda-cache
export LD_LIBRARY_PATH=$site:/usr/local/cuda/lib64:/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
for f in "$here"/cpc*.xz; do
    to=$work/$(basename "$f" .xz)
    python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$f" "$to" && chmod +x "$to"
done
cpc=$work/cpc
$cpc --version || { ldd $cpc | grep "not found"; exit 1; }

# The demo corpus eight times over, so that nearly every batch is full.
for i in 1 2 3 4 5 6 7 8; do mkdir -p $work/corpus/$i; cp -r data/demo/{awb,kal16,rms,slt} $work/corpus/$i/; done

train() { # train NAME SECONDS ARGUMENTS...: a run of cpc
    local name=$1 limit=$2; shift 2
    timeout -k 5 "$limit" $cpc pretrain $work/corpus --preset cpc-audio --out $work/$name --set data.sampler=uniform "$@" >"$OUT/$name.txt" 2>&1 ||
        { echo "$name: failed ($?)"; tail -3 "$OUT/$name.txt"; }
    cp $work/$name/metrics.jsonl "$OUT/$name.jsonl" 2>/dev/null
}
last() { # last NAME: seconds a step, of waiting for data, and audio a second, of the last line of training
    python3 - "$work/$1/metrics.jsonl" "$1" <<'PY'
import json, sys
try:
    l = [l for l in map(json.loads, open(sys.argv[1])) if l["kind"] == "train"][-1]
    print(f"{sys.argv[2]:28s} {l['step_seconds'] * 1e3:8.2f} ms a step, {l['data_wait_seconds'] * 1e3:7.2f} ms of it waiting for data, {l['audio_seconds_per_second']:9.0f} s of audio a second, loss {l['loss']:.4f}")
except Exception as e: print(sys.argv[2], "no figures:", e)
PY
}

for part in $parts; do
    ((SECONDS > ${LIMIT:-480})) && { echo "== no time for $part"; continue; }
    echo "== $part ($SECONDS s)"
    case $part in
    check)
        time train first 120 --steps 2 --batch-size 2 --device cuda --overwrite      # the driver compiles the kernels
        for d in cpu cuda; do train same-$d 100 --steps 20 --batch-size 8 --device $d --overwrite --set train.log_every=1 --set train.precision=f32; done
        python3 - "$OUT" <<'PY'
import json, sys
a, b = ([l for l in map(json.loads, open(f"{sys.argv[1]}/same-{d}.jsonl")) if l["kind"] == "train"] for d in ("cpu", "cuda"))
print("20 steps on CPU and GPU: losses differ by at most %.1e, norms of the gradient by %.1e" % (
    max(abs(x["loss"] - y["loss"]) for x, y in zip(a, b)), max(abs(x["grad_norm"] - y["grad_norm"]) / max(y["grad_norm"], 1e-12) for x, y in zip(a, b))))
PY
        # Two runs, and one that is resumed, end in the same bytes.
        for r in one two parts; do train bytes-$r 60 --steps 20 --batch-size 8 --device cuda --overwrite --set train.checkpoint_every=10; done
        rm -r $work/bytes-parts/checkpoints/step-*20 $work/bytes-parts/model
        timeout -k 5 60 $cpc pretrain --resume --device cuda --out $work/bytes-parts >"$OUT/resumed.txt" 2>&1
        for r in two parts; do
            cmp $work/bytes-one/model/model.safetensors $work/bytes-$r/model/model.safetensors && echo "one and $r: the same bytes"
        done
        if [[ -x $work/cpc-tests ]]; then CPC_TEST_DEVICE=cuda timeout -k 5 120 $work/cpc-tests --test-threads=1 ops:: 2>&1 | tee "$OUT/tests.txt" | tail -15; fi ;;
    speed)
        for c in "256 8 tf32" "256 64 f32" "256 64 tf32" "256 64 bf16" "512 64 tf32" "512 64 bf16"; do
            set -- $c
            nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 200 >"$OUT/memory-$1-$2-$3.txt" & meter=$!
            train cuda-$1-$2-$3 60 --steps 100 --batch-size $2 --device cuda --overwrite --set encoder.hidden_dim=$1 --set context.hidden_dim=256 \
                --set train.precision=$3 --set train.log_every=20
            kill $meter; last cuda-$1-$2-$3; echo "    memory at most $(sort -n "$OUT/memory-$1-$2-$3.txt" | tail -1) MiB"
        done ;;
    features)
        for layer in z c; do
            for d in cuda cpu; do
                rm -rf $work/features-$d-$layer; began=$(date +%s.%N)
                timeout -k 5 60 $cpc extract $work/same-cuda $work/corpus --device $d --layer $layer --out $work/features-$d-$layer >"$OUT/features-$d-$layer.txt" 2>&1
                echo "$layer on $d: $(python3 -c "import time; print(round(time.time() - $began, 2))") s"; tail -1 "$OUT/features-$d-$layer.txt"
            done
        done ;;
    torch)
        for c in "256 64 tf32 "{compiled,graph,matmul} "256 64 bfloat16 "{compiled,graph} "512 64 tf32 compiled" "256 64 float32 compiled" "256 8 tf32 "{compiled,graph}; do
            set -- $c
            timeout -k 5 45 python3 "$here/torch_cpc.py" step --device cuda --hidden $1 --batch $2 --dtype $3 --how $4 -n 30 2>"$OUT/torch-error.txt" |
                tee -a "$OUT/torch.jsonl" | python3 -c 'import json, sys; d = json.load(sys.stdin); print("torch", *(d[k] for k in ("hidden", "batch", "dtype", "how")), round(d["seconds"] * 1e3, 2), "ms", d["peak_gib"], "GiB")' 2>/dev/null ||
                { echo "torch $c: no figures"; tail -1 "$OUT/torch-error.txt"; }
        done ;;
    profile)
        # Step 3 of 4, kernel by kernel: about 480 launches a step.
        timeout -k 5 120 ncu --clock-control none --metrics gpu__time_duration.sum --launch-skip 1000 --launch-count 480 --csv --page raw --log-file "$OUT/ncu.csv" \
            $cpc pretrain $work/corpus --preset cpc-audio --overwrite --out $work/profile --set data.sampler=uniform --steps 4 --batch-size 64 --device cuda >"$OUT/profile.txt" 2>&1
        python3 - "$OUT/ncu.csv" <<'PY'
import collections, csv, sys
rows = [r for r in csv.reader(l for l in open(sys.argv[1]) if l.startswith('"'))]
name, value = rows[0].index("Kernel Name"), next(i for i, h in enumerate(rows[0]) if h.startswith("gpu__time_duration"))
unit, total = rows[1][value], collections.defaultdict(lambda: [0, 0.0])
for r in rows[2:]:
    t = total[r[name].split("(")[0][:60]]; t[0] += 1; t[1] += float(r[value].replace(",", ""))
print("time in", unit)
for k, (n, t) in sorted(total.items(), key=lambda x: -x[1][1])[:30]: print(f"{t:14.1f} {n:6d} x {k}")
PY
        ;;
    *) echo "$part: check, speed, profile, torch or features" ;;
    esac
    tar czf "$results/results.tgz" -C "$(dirname "$OUT")" "$(basename "$OUT")"
done
echo "== done ($SECONDS s)"
