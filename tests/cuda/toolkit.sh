#!/usr/bin/env bash
# Makes a CUDA toolkit in DIR that is enough to build cpc with the feature `cuda`, and prints the environment for it:
#   eval "$(tests/cuda/toolkit.sh [--real [--all-kernels]] DIR)"
#
# Without --real there is no compiler of CUDA's at all: its output is empty, and the program runs with fake_cuda.cpp as its driver, which knows
# candle's kernels and takes ours from kernels.cpp. With --real the compiler comes from PyPI (300 MB, once), and the program runs on a GPU; candle's
# kernels for quantized models, which cpc never calls and which take longest, are left out unless --all-kernels is given.
#
# The libraries of DIR are stand-ins for CUDA's. A program that is built with them finds the real ones where it runs. May be run again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
toolkit=13.0 real=0 all=0
while [[ ${1:-} == --* ]]; do
    case $1 in
        --real) real=1 ;;
        --all-kernels) all=1 ;;
        *) echo "$1: no such option" >&2; exit 2 ;;
    esac
    shift
done
[[ -n ${1:-} ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1/bin" "$1/lib64"
root=$(cd "$1" && pwd)

# 1. The compiler: nvcc with its device compiler and headers, of one series.
cuda=
if [[ $real == 1 ]]; then
    if [[ ! -e $root/venv/$toolkit.done ]]; then
        python3 -m venv "$root/venv"
        "$root/venv/bin/pip" install --quiet --no-cache-dir \
            "nvidia-cuda-nvcc==$toolkit.*" "nvidia-cuda-crt==$toolkit.*" "nvidia-nvvm==$toolkit.*" \
            "nvidia-cuda-runtime==$toolkit.*" "nvidia-cuda-cccl==$toolkit.*" >&2
        touch "$root/venv/$toolkit.done"
    fi
    cuda=$(echo "$root"/venv/lib/python3*/site-packages/nvidia/cu13)
    ln -sfn "$cuda/include" "$root/include"
    ln -sf "$cuda"/lib/libcudart.so.* "$root/lib64/"
    ln -sf "$(basename "$cuda"/lib/libcudart.so.*)" "$root/lib64/libcudart.so"
fi

# 2. nvcc as candle-kernels and build.rs call it, with an empty module, and functions that stop the program, for what is left out.
write_nvcc() {
    cat <<NVCC
#!/usr/bin/env bash
out=; source=; ptx=; dir=.; previous=
for a in "\$@"; do
    case \$previous in -o) out=\$a ;; --output-directory) dir=\$a ;; esac
    case \$a in --ptx) ptx=1 ;; *.cu) source=\$a ;; --version) [[ -n "$cuda" ]] || printf '\n\n\nCuda compilation tools, release $toolkit, V$toolkit.0\n' ;; esac
    previous=\$a
done
name=\$(basename "\${source:-none}" .cu)
stand_in=\$([[ -n "$cuda" && $all == 1 ]] || case \$name in quantized | moe_* | mmvq_* | mmq_*) echo 1 ;; esac)
if [[ -n \$source && -z "$cuda" ]]; then stand_in=1; fi
if [[ -n \$stand_in && -n \$ptx ]]; then
    printf '.version 8.0\n.target sm_80\n.address_size 64\n' >"\$dir/\$name.ptx"
elif [[ -n \$stand_in && \$name == moe_gguf ]]; then
    sed -n 's/.*pub fn \([a-z0-9_]*\)(.*/void \1(void) { __builtin_trap(); }/p' src/ffi.rs | cc -x c -fPIC -c -o "\$out" -
elif [[ -n \$stand_in ]]; then
    cc -x c -fPIC -c -o "\$out" /dev/null
elif [[ \${1:-} == --lib && ( -z "$cuda" || $all == 0 ) ]]; then
    rm -f "\$out"; shift 3; ar rcs "\$out" "\$@"
elif [[ -n "$cuda" ]]; then
    exec "$cuda/bin/nvcc" "\$@"
fi
NVCC
}
write_nvcc >"$root/bin/nvcc.new"
chmod +x "$root/bin/nvcc.new"
# An unchanged compiler keeps its date, so that nothing is built again.
if cmp -s "$root/bin/nvcc.new" "$root/bin/nvcc"; then rm "$root/bin/nvcc.new"; else mv "$root/bin/nvcc.new" "$root/bin/nvcc"; fi

# 3. The driver, cuBLAS and NCCL, with stubs of all other functions of theirs, and of cuBLASLt, cuRAND and NVRTC, that cudarc links.
version=$(sed -n '/^name = "cudarc"$/{n;s/version = "\(.*\)"/\1/p}' "$here/../../Cargo.lock")
(cd "$here/../.." && cargo fetch --locked --quiet)
cudarc=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"cudarc-$version"/src)
stamp=$root/lib64/stubs-$version
if [[ ! -e $stamp || $here/fake_cuda.cpp -nt $stamp || $here/fake_nccl.cpp -nt $stamp ]]; then
    stub() { # stub FOLDER PREFIX LIBRARY VERSION RESULT [MORE...]
        grep -ohE "fn $2[A-Za-z0-9_]+\(" "$cudarc/$1/sys/mod.rs" | sed 's/fn \(.*\)(/\1/' | sort -u |
            sed "s/.*/__attribute__((weak)) int &(void) { return $5; }/" >"$root/$3.c"
        cc -c -O1 -fPIC -w -o "$root/$3.o" "$root/$3.c"
        g++ -shared -fPIC -O2 -std=c++17 -Wl,-soname,"lib$3.so.$4" -o "$root/lib64/lib$3.so" "${@:6}" "$root/$3.o"
        ln -sf "lib$3.so" "$root/lib64/lib$3.so.$4"
        rm "$root/$3.c" "$root/$3.o"
    }
    stub driver cu cuda 1 801 -DFAKE_DRIVER "$here/fake_cuda.cpp"
    stub cublas cublas cublas 13 15 -DFAKE_CUBLAS "$here/fake_cuda.cpp" -L"$root/lib64" -lcuda
    stub cublaslt cublasLt cublasLt 13 15
    stub curand curand curand 10 0
    stub nvrtc nvrtc nvrtc 13 5
    stub nccl nccl nccl 2 3 "$here/fake_nccl.cpp"
    if [[ $real == 0 ]]; then echo | g++ -x c++ -shared -fPIC -Wl,-soname,libcudart.so.13 -o "$root/lib64/libcudart.so" -; fi
    touch "$stamp"
fi

cat <<ENVIRONMENT
export CUDA_HOME='$root' CUDA_PATH='$root' NVCC='$root/bin/nvcc' PATH='$root/bin':"\$PATH" CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-80}"
export CUDAFORGE_THREADS="\${CUDAFORGE_THREADS:-$(nproc)}" CUDA_STUBS='$root/lib64'
ENVIRONMENT
