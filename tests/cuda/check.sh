#!/usr/bin/env bash
# What can be known about the feature `cuda` where there is no GPU: the real program runs with a driver that computes on the CPU.
#   tests/cuda/check.sh [build] [ops] [train] [together] [counts] [metal]       (all without arguments)
#
# ops     every op's test on that device, with the threads of a block in three orders: a missing barrier shows
# train   every kind of model as on the CPU, exact resume, features
# together  two processes, whose gradients are exchanged over NCCL, as one (where there is an MPI library)
# counts  launches, traffic and memory of one training step; more than a tenth above what is set here is a failure
# metal   that the composed form of every model asks only for kernels that candle's Metal backend has too: they have the same names there
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${CARGO_TARGET_DIR:-target}/cuda-check
mkdir -p "$out"
out=$(cd "$out" && pwd)
parts=${*:-build ops train together counts metal}
features=cuda
if command -v mpicc >/dev/null && command -v mpirun >/dev/null; then features=cuda,nccl; fi

eval "$(tests/cuda/toolkit.sh "$out/toolkit")"
export CARGO_PROFILE_DEV_OPT_LEVEL=0
g++ -std=c++17 -O2 -U_FORTIFY_SOURCE -shared -fPIC -w -Itests/cuda -Isrc/ops/cuda/kernels -o "$out/kernels.so" tests/cuda/kernels.cpp
if [[ $parts == *build* ]]; then
    cargo clippy --locked --features $features --lib --bins -- -D warnings
    cargo build --locked --features $features --bin cpc
    cargo test --locked --features $features --lib --no-run --message-format json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1 >"$out/tests"
    cp "${CARGO_TARGET_DIR:-target}/debug/cpc" "$out/cpc"
fi
export LD_LIBRARY_PATH=$CUDA_STUBS FAKE_CUDA=exec FAKE_CUDA_KERNELS=$out/kernels.so
cpc=$out/cpc
python=$(command -v python3)

train() { # train NAME DEVICE DATA ARGUMENTS...: a run in $out/NAME-DEVICE
    local name=$1 device=$2 data=$3
    shift 3
    "$cpc" pretrain "$data" --device "$device" --out "$out/$name-$device" --set train.log_every=1 "$@" >"$out/log.txt" 2>&1 ||
        { cat "$out/log.txt"; echo "$name on $device failed"; exit 1; }
}
alike() { # alike NAME TOLERANCE DATA ARGUMENTS...: the same run on both devices
    local name=$1 tolerance=$2 data=$3
    shift 3
    train "$name" cpu "$data" --overwrite "$@"
    case $name in
        half*) train "$name" cuda "$data" --overwrite "$@" --set train.precision=bf16 ;;
        *) train "$name" cuda "$data" --overwrite "$@" --set train.precision=f32 ;;
    esac
    "$python" tests/cuda/alike.py "$name" "$tolerance" "$out/$name-cpu/metrics.jsonl" "$out/$name-cuda/metrics.jsonl"
    rm -rf "$out/$name-cuda" "$out/$name-cpu/checkpoints" # the images' models are large
}

if [[ $parts == *ops* ]]; then
    for order in forward backward shuffled; do
        echo "ops, threads $order"
        EMU_ORDER=$order CPC_TEST_DEVICE=cuda "$(cat "$out/tests")" --quiet ops:: nn:: model:: objective::
    done
    # A driver without a GPU: auto takes the CPU, and cuda says what is wrong.
    (unset FAKE_CUDA && "$cpc" pretrain data/demo --preset demo --steps 1 --device auto --overwrite --out "$out/auto") >"$out/log.txt" 2>&1 ||
        { cat "$out/log.txt"; exit 1; }
    for device in cuda cuda:3; do
        if (unset FAKE_CUDA && "$cpc" pretrain data/demo --steps 1 --device $device --overwrite --out "$out/none") 2>"$out/log.txt"; then exit 1; fi
        grep -q "there is no NVIDIA GPU" "$out/log.txt" || { cat "$out/log.txt"; exit 1; }
    done
    if "$cpc" pretrain data/demo --steps 1 --device cuda:3 --overwrite --out "$out/none" 2>"$out/log.txt"; then exit 1; fi
    grep -q "the only GPU is cuda:0" "$out/log.txt" || { cat "$out/log.txt"; exit 1; }
fi

images=$out/images
"$python" tests/cuda/images.py "$images"
audio="--preset cpc-audio --set train.lr=4e-4 --set train.schedule=cosine --steps 4 --batch-size 2 --set data.window=4000 --set encoder.hidden_dim=24 --set context.hidden_dim=16"
models=(
    "channel 2e-6 data/demo $audio"
    # With seed 1, pairs of activations that are equal but for rounding lie at a ReLU's corner, where the forms on the CPU differ too.
    "batch 5e-6 data/demo $audio --set encoder.norm=batch --seed 2"
    "plain 2e-6 data/demo $audio --set encoder.norm=none --set train.accumulate=2 --set train.clip_norm=1"
    # In bf16 on the GPU: losses agree to 2e-5, and rounding adds some percent to small gradients.
    "half 1e-1 data/demo $audio"
    "half-batch 1e-1 data/demo $audio --set encoder.norm=batch --seed 2"
    "lstm 2e-6 data/demo $audio --set context.kind=lstm --set context.num_layers=2"
    "s4d 5e-6 data/demo $audio --set context.kind=s4d --set context.num_layers=2 --set context.state_dim=8"
    "others 2e-6 data/demo $audio --set objective.negatives_from=other-sequences"
    "same 2e-6 data/demo $audio --set objective.negatives_from=same-sequence --set objective.exclude_positive=true"
    "all 2e-6 data/demo $audio --set objective.num_negatives=0"
    "transformer 5e-6 data/demo $audio --set heads.kind=transformer --set encoder.hidden_dim=16"
    "small 5e-6 data/demo --preset small --steps 4 --set data.window=4000 --set encoder.hidden_dim=24 --set encoder.channels=[20] --set context.hidden_dim=16"
    "mel 5e-6 data/demo --preset mel-small --steps 4 --set data.window=4000 --set encoder.hidden_dim=24 --set context.hidden_dim=16"
    "text 2e-6 data/verses --preset text-demo --steps 4"
    "texts 2e-6 data/verses --preset text-demo --steps 4 --set objective.mask_duplicates=true"
    "dim 5e-5 $images --preset dim-local --steps 3 --batch-size 8"
    "bottleneck 5e-5 $images --preset ib --steps 3 --batch-size 8"
    # Later steps amplify rounding: Adam divides by gradients that are almost zero.
    "game 2e-5 toy:spiral --preset mine-gan --steps 2 --batch-size 16"
)

if [[ $parts == *train* ]]; then
    for model in "${models[@]}"; do alike $model; done

    # A run that is stopped and resumed ends in the same bytes.
    train whole cuda data/demo --overwrite $audio --set train.checkpoint_every=2
    train parts cuda data/demo --overwrite $audio --set train.checkpoint_every=2
    rm -r "$out/parts-cuda/checkpoints/step-"*4 "$out/parts-cuda/model"
    train parts cuda data/demo --resume
    for file in checkpoints/step-4/model.safetensors checkpoints/step-4/optimizer.safetensors; do
        cmp "$out/whole-cuda/$file" "$out/parts-cuda/$file"
    done
    echo "a resumed run ends in the same bytes"

    # A device without enough memory: one line that names the batch, and the last checkpoint stays.
    if FAKE_CUDA_MEMORY=60000000 "$cpc" pretrain data/demo --preset cpc-audio --steps 2 --batch-size 16 --device cuda --overwrite --out "$out/full" 2>"$out/log.txt"; then exit 1; fi
    grep -q "no memory left for a batch of 16" "$out/log.txt" || { cat "$out/log.txt"; exit 1; }

    for device in cpu cuda; do
        rm -rf "$out/features-$device"
        "$cpc" extract "$out/channel-cpu" data/demo/slt --device $device --layer c --out "$out/features-$device" >"$out/log.txt" 2>&1 ||
            { cat "$out/log.txt"; exit 1; }
    done
    "$python" tests/cuda/alike.py features 2e-6 "$out/features-cpu" "$out/features-cuda"
fi

if [[ $parts == *together* && $features == *nccl* ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    for model in "channel data/demo $audio --set encoder.norm=batch" "text data/verses --preset text-demo --steps 4"; do
        set -- $model
        train together cuda "${@:2}" --overwrite --set train.accumulate=4
        rm -rf "$out/two-cuda"
        FAKE_CUDA_DEVICES=2 mpirun --oversubscribe --bind-to none -n 2 "$cpc" pretrain "${@:2}" --device cuda --out "$out/two-cuda" --set train.accumulate=4 \
            >"$out/log.txt" 2>&1 || { cat "$out/log.txt"; exit 1; }
        grep -q "GPUs, over NCCL" "$out/log.txt" || { cat "$out/log.txt"; exit 1; }
        for file in model.safetensors optimizer.safetensors state.json; do
            cmp "$out/together-cuda/checkpoints/step-4/$file" "$out/two-cuda/checkpoints/step-4/$file"
        done
        echo "$1: two processes over NCCL end in the bytes of one"
    done
fi

if [[ $parts == *counts* ]]; then
    count() { # count NAME LIMITS ARGUMENTS...
        local name=$1 limits=$2
        shift 2
        for steps in 3 4; do
            FAKE_CUDA=trace FAKE_CUDA_LOG=$out/$name-$steps.log "$cpc" pretrain data/demo --preset cpc-audio --steps $steps --batch-size 64 \
                --set data.sampler=uniform --set train.log_every=100 --device cuda --overwrite --out "$out/counted" "$@" >"$out/log.txt" 2>&1 ||
                { cat "$out/log.txt"; exit 1; }
        done
        echo "$name:"
        "$python" tests/cuda/trace.py "$out/$name-3.log" "$out/$name-4.log" --top 0 --limits "$limits"
    }
    # Launches (products among them), GB of traffic, GiB at the peak, and uploads of one step; no read-backs.
    count half-256 468,9.9,0.9,1 --set train.precision=bf16
    count small-256 468,12.3,1.13,1
    count small-512 476,25.0,2.2,1 --set encoder.hidden_dim=512 --set context.hidden_dim=512
fi

if [[ $parts == *metal* ]]; then
    : >"$out/kernels.txt"
    for model in "${models[@]}"; do
        set -- $model
        CPC_OPS=composed FAKE_CUDA=trace FAKE_CUDA_LOG=$out/composed.log train composed cuda "${@:3}" --overwrite
        sed -n 's/^L \([^ ]*\) .*/\1/p' "$out/composed.log" | sort -u >>"$out/kernels.txt"
    done
    sort -u "$out/kernels.txt" >"$out/kernels-once.txt"
    if grep -vxEf <(grep -v '^#' tests/cuda/metal.txt) "$out/kernels-once.txt"; then
        echo "candle's Metal backend has no such kernels"
        exit 1
    fi
    echo "the $(wc -l <"$out/kernels-once.txt") kernels of all composed models are in candle's Metal backend"
fi
