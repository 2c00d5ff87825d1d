#!/usr/bin/env bash
# Trains on two hosts, which are two network namespaces joined by a cable (a veth pair), with one process on each and MPI over TCP between
# them: to the bytes of one process. Then pulls the cable in the middle of a run, which has to end with an error within a minute, and resumes.
#   tests/mpi/hosts.sh CPC          # a cpc with the feature mpi; needs root, iproute2 and Open MPI
set -euo pipefail
cpc=$(readlink -f "$1") data=$(readlink -f "$(dirname "$0")/../../data/demo")
work=$(mktemp -d) one=10.77.0.1 two=10.77.0.2
end() {
    for host in $one $two; do
        ip netns pids "$host" 2>/dev/null | xargs -r kill -9 || true
        ip netns delete "$host" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end EXIT
cd "$work"
for host in $one $two; do ip netns add $host; done
ip link add cable netns $one type veth peer name cable netns $two
for host in $one $two; do
    ip -n $host address add $host/24 dev cable
    ip -n $host link set cable up
    ip -n $host link set lo up
done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 NO_COLOR=1
# mpirun itself waits for a host that is gone for minutes unless its keepalive says otherwise.
# A host of this run is the name of a namespace, and `ip netns exec` takes the place of ssh.
printf '#!/bin/sh\nhost=$1\nshift\nexec ip netns exec "$host" sh -c "$*"\n' >agent
chmod +x agent
together() {
    ip netns exec $one mpirun --mca plm_rsh_agent "$work/agent" --mca plm_rsh_no_tree_spawn 1 --host $one:1,$two:1 -n 2 --bind-to none \
        --mca btl tcp,self --mca pml ob1 --mca btl_tcp_if_include cable --mca oob_tcp_if_include cable \
        --mca oob_tcp_keepalive_time 10 --mca oob_tcp_keepalive_intvl 5 --mca oob_tcp_keepalive_probes 3 "$cpc" "$@" --threads 1
}
run="pretrain $data --preset demo --set encoder.hidden_dim=24 --set encoder.channels=[16] --set context.hidden_dim=16 --set data.window=8000 --set train.schedule=constant --set train.accumulate=2 --set train.checkpoint_every=20 --set train.keep_last=999 --set train.log_every=5"
"$cpc" $run --steps 40 --out alone --threads 1 --quiet >/dev/null
together $run --steps 40 --out hosts >/dev/null
cmp alone/checkpoints/step-40/model.safetensors hosts/checkpoints/step-40/model.safetensors
cmp alone/checkpoints/step-40/optimizer.safetensors hosts/checkpoints/step-40/optimizer.safetensors
echo "two hosts: the bytes of one process"

together $run --steps 100000 --out pulled >pulled.out 2>pulled.err &
mpirun=$!
until [ -e pulled/checkpoints/step-20 ]; do
    kill -0 $mpirun 2>/dev/null || { cat pulled.err; exit 1; }
    sleep 0.2
done
ip -n $two link set cable down
began=$SECONDS code=0
wait $mpirun || code=$?
took=$((SECONDS - began))
cat pulled.err
[ $code -ne 0 ] || { echo "the run went on without its cable"; exit 1; }
[ $took -le 60 ] || { echo "it took $took s to end"; exit 1; }
for host in $one $two; do
    for pid in $(ip netns pids $host); do
        if [ "$(readlink /proc/$pid/exe)" = "$cpc" ]; then
            echo "$host: a process is left"
            exit 1
        fi
    done
done
echo "the cable was pulled: exit code $code after $took s"

ip -n $two link set cable up
last=$(ls pulled/checkpoints | sed s/step-// | sort -n | tail -1)
together pretrain --resume --steps $((last + 20)) --out pulled >/dev/null
"$cpc" $run --steps $((last + 20)) --out whole --threads 1 --quiet >/dev/null
cmp whole/checkpoints/step-$((last + 20))/model.safetensors pulled/checkpoints/step-$((last + 20))/model.safetensors
echo "resumed after the cable was back: the bytes of one process"
