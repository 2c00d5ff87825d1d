#!/usr/bin/env bash
# Table 2 of the paper (van den Oord et al. 2018), on a corpus of your own: what do the number of steps predicted and the origin of the
# negatives do to the accuracy of phones?
#   benches/table2.sh CORPUS OUT [UPDATES] [OPTION...]
# CORPUS has wav/, phones.txt, train.txt and test.txt. Every row is one run of UPDATES (2000) with batches of 8 windows and one probe of c, which is
# trained on every third utterance of train.txt. A row that is finished is not run again, and one that was interrupted goes on. OPTIONs go to
# `cpc pretrain`. With ROWS in the environment, an extended regular expression, only the rows whose names match are run: two at a time with
# ROWS='steps' and ROWS='speaker|sequence' and one thread each take less time than one after the other.
set -euo pipefail
corpus=$1 out=$2 updates=${3:-2000}
shift $(($# < 3 ? $# : 3))
mkdir -p "$out"
awk 'NR % 3 == 1' "$corpus/train.txt" >"$out/probe-train.txt.$$"
mv "$out/probe-train.txt.$$" "$out/probe-train.txt"

row() { # row NAME OPTION...
    local name=$1 last
    shift
    [[ $name =~ ${ROWS:-.} ]] || return 0
    if [ ! -e "$out/$name.json" ]; then
        if [ -e "$out/$name/checkpoints" ]; then
            cpc pretrain --resume --out "$out/$name"
        else
            cpc pretrain "$corpus/wav" --out "$out/$name" --overwrite --steps "$updates" --batch-size 8 --seed 1 --set "data.train=$corpus/train.txt" \
                --set train.valid_every=1000 --set train.checkpoint_every=1000 "$@"
        fi
        last=$(printf '%s\n' "$out/$name"/checkpoints/step-* | sort -V | tail -1)
        cpc probe "$last" --data "$corpus/wav" --layer c --labels "$corpus/phones.txt" --train "$out/probe-train.txt" --test "$corpus/test.txt" \
            --json >"$out/$name.part"
        mv "$out/$name.part" "$out/$name.json"
    fi
    printf '%-28s %s\n' "$name" "$(grep -o '"accuracy":[ ]*[0-9.]*' "$out/$name.json" | head -1 | sed 's/.*: *//')"
}

for k in 2 4 8 12 16; do
    row "steps-$k" --set heads.steps=$k "$@"
done
row mixed-speaker --set data.sampler=uniform --set objective.negatives_from=batch "$@"
row same-speaker --set data.sampler=same-speaker --set objective.negatives_from=batch "$@"
row mixed-speaker-excluded --set data.sampler=uniform --set objective.negatives_from=other-sequences "$@"
row same-speaker-excluded --set data.sampler=same-speaker --set objective.negatives_from=other-sequences "$@"
row current-sequence --set data.sampler=same-speaker --set objective.negatives_from=same-sequence "$@"
