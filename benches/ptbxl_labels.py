#!/usr/bin/env python3
"""Writes the labels and the lists of PTB-XL (Wagner et al. 2020) in the form that `cpc finetune` and `cpc probe` read.

    python3 ptbxl_labels.py ptb-xl/ OUT [--rate 100|500] [--task all|superdiagnostic]

OUT/labels.tsv has the statements of each record (scp_codes of any likelihood, as in Strodthoff et al. 2021; for superdiagnostic, the five classes of
scp_statements.csv, of which a record without one has none), OUT/train.txt folds 1 to 9, OUT/test.txt fold 10. Nothing but Python is needed.
"""

import argparse
import ast
import csv
import pathlib


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptbxl", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--rate", choices=["100", "500"], default="100")
    parser.add_argument("--task", choices=["all", "superdiagnostic"], default="all")
    args = parser.parse_args()
    classes = {}
    if args.task == "superdiagnostic":
        with open(args.ptbxl / "scp_statements.csv", newline="") as file:
            for row in csv.DictReader(file):
                if row["diagnostic"] in ("1", "1.0"):
                    classes[row[""]] = row["diagnostic_class"]
    args.out.mkdir(parents=True, exist_ok=True)
    labels, lists = [], {"train": [], "test": []}
    with open(args.ptbxl / "ptbxl_database.csv", newline="") as file:
        for row in csv.DictReader(file):
            name = pathlib.PurePath(row["filename_lr" if args.rate == "100" else "filename_hr"]).name
            codes = ast.literal_eval(row["scp_codes"])
            if args.task == "superdiagnostic":
                codes = {classes[code] for code in codes if code in classes}
            labels.append(f"{name}\t{','.join(sorted(codes)) or '-'}\n")
            lists["test" if int(float(row["strat_fold"])) == 10 else "train"].append(f"{name}\n")
    (args.out / "labels.tsv").write_text("".join(labels))
    for name, ids in lists.items():
        (args.out / f"{name}.txt").write_text("".join(ids))


main()
