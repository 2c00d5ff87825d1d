#!/usr/bin/env bash
# Builds cpc for NVIDIA GPUs on a machine that has none, and packs what one needs to check and measure it: pack.sh [OUT]
#
# OUT (default: .gpu, which git should ignore) gets cpc, the tests of the library, measure.sh, and PyTorch's side of the comparison. On a machine with a GPU,
# from the root of the checkout: bash OUT/measure.sh. CUDA_COMPUTE_CAP=90 makes PTX for H100 and H200 alone; 80, the default, for all from Ampere on.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-.gpu}
mkdir -p "$out" target/cuda
environment=$(tests/cuda/toolkit.sh --real target/cuda/toolkit)
eval "$environment"
export CARGO_TARGET_DIR=target/cuda
cargo build --locked --release --features cuda --bin cpc
tests=$(cargo test --locked --release --features cuda --lib --no-run --message-format json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
pack() { # pack PROGRAM NAME
    [[ $out/$2.xz -nt $1 ]] && return
    strip -o "$out/$2" "$1"
    xz -T0 -2 -f "$out/$2"
}
pack target/cuda/release/cpc cpc
pack "$tests" cpc-tests
cp tests/cuda/measure.sh benches/torch_cpc.py "$out/"
ls -l "$out" | awk 'NF > 8 {printf "%8.1f MiB  %s\n", $5 / 1048576, $9}'
