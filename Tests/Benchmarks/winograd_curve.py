#!/usr/bin/env python3
"""Does Winograd's rounding change training? Pretrains ResNet-18 with each seed, with and without it, and compares the losses.

    winograd_curve.py --trainer PATH --data FOLDER [--seeds 0 1 2] [--epochs 3] [--work FOLDER] [--output FILE.md]

FOLDER holds train/CLASS/FILE and val/CLASS/FILE. Two runs of one seed see the same crops in the same order from the same
weights: without Winograd's rounding they would agree to the last bit. So the difference between them is what the rounding
does, and the spread between seeds is what it has to stay within. With --work the runs are kept, and the same command goes on
where it stopped. Speeds are not compared here: see compare.py.
"""
import argparse
import datetime
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

# As compare.py's small step; what is not said here is planned by the trainer for the images, alike for all runs.
SETTINGS = ["--arch", "resnet18", "--crops", "2x64+4x32", "--batch", "64", "--prototypes", "100"]
SWITCH = ["on", "off"]


def run(command):
    """The last JSON object that a command prints; ends the program where the command fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"winograd_curve: {' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def train(args, work, seed, winograd):
    """One run: the loss of each step, [epoch][step], and 20-NN of its weights in percent."""
    folder = os.path.join(work, f"seed{seed}-{winograd}")
    images, held_out = (os.path.join(args.data, name) for name in ("train", "val"))
    run([args.trainer, "pretrain", images, *SETTINGS, "--epochs", str(args.epochs), "--seed", str(seed), "--winograd", winograd,
         "--output", folder, "--json"])
    with open(os.path.join(folder, "metrics.jsonl")) as file:
        rows = [row for row in map(json.loads, file) if "loss" in row]
    losses = [[row["loss"] for row in rows if row["epoch"] == epoch] for epoch in range(1, args.epochs + 1)]
    report = run([args.trainer, "knn", "--weights", folder, "--train", images, "--val", held_out, "--no-raw-pixels", "--json"])
    print(f"winograd_curve: seed {seed}, Winograd {winograd}: loss {statistics.mean(losses[-1]):.4f}, "
          f"20-NN {report['knn20']:.1f} %", file=sys.stderr, flush=True)
    return losses, report["knn20"]


def columns_of(args):
    """Title, figure of a run, digits: what the table has of each run."""
    columns = [(f"epoch {e + 1}", lambda result, e=e: statistics.mean(result[0][e]), 4) for e in range(args.epochs)]
    return [("step 1", lambda result: result[0][0][0], 7)] + columns + [("20-NN, %", lambda result: result[1], 1)]


def with_standard_error(values, digits):
    return f"{statistics.mean(values):+.{digits}f} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def root_mean_square(values):
    return statistics.mean(value * value for value in values) ** 0.5


def table(args, results):
    """Lines of Markdown: results {seed: {"on": ..., "off": ...}} and, below them, differences beside the spread of the seeds."""
    columns = columns_of(args)
    lines = ["| seed | Winograd | " + " | ".join(title for title, _, _ in columns) + " |", "|---" * (2 + len(columns)) + "|"]

    def add(seed, which, cells):
        lines.append(f"| {seed} | {which} | " + " | ".join(cells) + " |")

    figures = [{which: [figure(pair[which]) for pair in results.values()] for which in SWITCH} for _, figure, _ in columns]
    differences = [[on - off for on, off in zip(values["on"], values["off"])] for values in figures]
    digits = [digits for _, _, digits in columns]
    for index, seed in enumerate(results):
        for which in SWITCH:
            add(seed, which, [f"{values[which][index]:.{d}f}" for values, d in zip(figures, digits)])
        add(seed, "on - off", [f"{values[index]:+.{d}f}" for values, d in zip(differences, digits)])
    if len(results) < 2:
        return lines
    # Differences of two runs: of one seed with and without Winograd, and of two seeds with the same setting. Once rounding has
    # grown to the size of chance the two are alike; a bias would stand out from its standard error.
    same_seed = [root_mean_square(values) for values in differences]
    two_seeds = [root_mean_square(a - b for which in SWITCH for a, b in itertools.combinations(values[which], 2))
                 for values in figures]
    add("all", "mean of on - off", [with_standard_error(values, d) for values, d in zip(differences, digits)])
    add("all", "r.m.s. of on - off, same seed", [f"{value:.{d}f}" for value, d in zip(same_seed, digits)])
    add("all", "r.m.s. of seed - seed, same setting", [f"{value:.{d}f}" for value, d in zip(two_seeds, digits)])
    beyond = [title for (title, _, _), one, two in zip(columns, same_seed, two_seeds) if one > two]
    lines += ["", "With and without Winograd differ no more than two seeds do "
              + (f"but in: {', '.join(beyond)}." if beyond else "in any column.")]
    return lines


def compare(args, work):
    info = run([args.trainer, "info", "--json"])
    with os.scandir(os.path.join(args.data, "train")) as classes:
        images = sum(len(files) for entry in classes if entry.is_dir() for _, _, files in os.walk(entry.path))
    title = (f"{info['cpu']}, {info['isa']}, {datetime.date.today()}; {os.path.basename(os.path.abspath(args.data))}, {images} images, "
             f"`{' '.join(SETTINGS)} --epochs {args.epochs}`. Mean loss of each epoch.")
    results = {}
    for seed in args.seeds:
        results[seed] = {which: train(args, work, seed, which) for which in SWITCH}
        lines = [title, "", *table(args, results)]
        # After each seed: long runs that are ended early have said something.
        if args.output:
            with open(args.output, "w") as file:
                file.write("\n".join(lines) + "\n")
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--data", required=True, help="a folder with train and val")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--work", help="where the runs go and stay; a temporary folder unless given")
    parser.add_argument("--output")
    args = parser.parse_args()
    for name in ("train", "val"):
        if not os.path.isdir(os.path.join(args.data, name)):
            parser.error(f"--data is {args.data}; a folder with train and val is needed, and there is no {name} in it")
    if args.epochs < 1:
        parser.error(f"--epochs is {args.epochs}; a number from 1 on is needed")
    if args.work:
        return compare(args, args.work)
    with tempfile.TemporaryDirectory() as work:
        compare(args, work)


if __name__ == "__main__":
    sys.exit(main())
