#!/usr/bin/env python3
"""Does rounding change training? Pretrains with each seed under both values of a setting, and compares losses and kNN.

    rounding_curve.py --trainer PATH --data FOLDER [--switch winograd|precision] [--seeds 0 1 2] [--epochs 3]
                      [--settings "--preset demo"] [--work FOLDER] [--output FILE.md]

FOLDER holds train/CLASS/FILE and val/CLASS/FILE. The switch: winograd (on, off), or precision (float32, bfloat16). Two runs of
one seed see the same crops in the same order from the same weights: without the rounding they would agree to the last
bit. So the difference between them is what the rounding does, and the spread between seeds is what it has to stay within. With
--work the runs are kept, and the same command goes on where it stopped. Speeds are not compared here: see compare.py.
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
SETTINGS = "--arch resnet18 --crops 2x64+4x32 --batch 64 --prototypes 100"
SWITCHES = {"winograd": ["on", "off"], "precision": ["float32", "bfloat16"]}


def run(command):
    """The last JSON object that a command prints; ends the program where the command fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"rounding_curve: {' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def train(args, work, seed, which):
    """One run: the loss of each step, [epoch][step], and 20-NN of its weights in percent."""
    folder = os.path.join(work, f"seed{seed}-{which}")
    images, held_out = (os.path.join(args.data, name) for name in ("train", "val"))
    run([args.trainer, "pretrain", images, *args.settings.split(), "--epochs", str(args.epochs), "--seed", str(seed),
         f"--{args.switch}", which, "--output", folder, "--json"])
    with open(os.path.join(folder, "metrics.jsonl")) as file:
        rows = [row for row in map(json.loads, file) if "loss" in row]
    losses = [[row["loss"] for row in rows if row["epoch"] == epoch] for epoch in range(1, args.epochs + 1)]
    report = run([args.trainer, "knn", "--weights", folder, "--train", images, "--val", held_out, "--no-raw-pixels", "--json"])
    print(f"rounding_curve: seed {seed}, {args.switch} {which}: loss {statistics.mean(losses[-1]):.4f}, "
          f"20-NN {report['knn20']:.1f} %", file=sys.stderr, flush=True)
    return losses, report["knn20"]


def columns_of(args):
    """Title, figure of a run, digits: what the table has of each run."""
    columns = [(f"epoch {e + 1}", lambda result, e=e: statistics.mean(result[0][e]), 4) for e in range(args.epochs)]
    shown = columns if args.epochs <= 4 else [columns[i * (args.epochs - 1) // 3] for i in range(4)]
    return [("step 1", lambda result: result[0][0][0], 7)] + shown + [("20-NN, %", lambda result: result[1], 1)]


def with_standard_error(values, digits):
    return f"{statistics.mean(values):+.{digits}f} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


def root_mean_square(values):
    return statistics.mean(value * value for value in values) ** 0.5


def table(args, results):
    """Lines of Markdown: results {seed: {one value: ..., the other: ...}} and, below them, what each value has over the seeds and
    the differences of both beside the spread of the seeds."""
    columns, switch = columns_of(args), SWITCHES[args.switch]
    one_less_other = " - ".join(switch)
    lines = [f"| seed | {args.switch} | " + " | ".join(title for title, _, _ in columns) + " |", "|---" * (2 + len(columns)) + "|"]

    def add(seed, which, cells):
        lines.append(f"| {seed} | {which} | " + " | ".join(cells) + " |")

    figures = [{which: [figure(pair[which]) for pair in results.values()] for which in switch} for _, figure, _ in columns]
    differences = [[one - other for one, other in zip(*values.values())] for values in figures]
    digits = [digits for _, _, digits in columns]
    for index, seed in enumerate(results):
        for which in switch:
            add(seed, which, [f"{values[which][index]:.{d}f}" for values, d in zip(figures, digits)])
        add(seed, one_less_other, [f"{values[index]:+.{d}f}" for values, d in zip(differences, digits)])
    if len(results) < 2:
        return lines
    for which in switch:
        add("all", f"mean and deviation of {which}",
            [f"{statistics.mean(values[which]):.{d}f} ± {statistics.stdev(values[which]):.{d}f}" for values, d in zip(figures, digits)])
    # Differences of two runs: of one seed under both values, and of two seeds under the same one. Once rounding has grown to the
    # size of chance the two are alike; a bias would stand out from its standard error.
    same_seed = [root_mean_square(values) for values in differences]
    two_seeds = [root_mean_square(a - b for which in switch for a, b in itertools.combinations(values[which], 2))
                 for values in figures]
    add("all", f"mean of {one_less_other}", [with_standard_error(values, d) for values, d in zip(differences, digits)])
    add("all", f"r.m.s. of {one_less_other}, same seed", [f"{value:.{d}f}" for value, d in zip(same_seed, digits)])
    add("all", f"r.m.s. of seed - seed, same {args.switch}", [f"{value:.{d}f}" for value, d in zip(two_seeds, digits)])
    beyond = [title for (title, _, _), one, two in zip(columns, same_seed, two_seeds) if one > two]
    lines += ["", f"Runs of {' and '.join(switch)} differ no more than two seeds do "
              + (f"but in: {', '.join(beyond)}." if beyond else "in any column.")]
    return lines


def compare(args, work):
    info = run([args.trainer, "info", "--json"])
    with os.scandir(os.path.join(args.data, "train")) as classes:
        images = sum(len(files) for entry in classes if entry.is_dir() for _, _, files in os.walk(entry.path))
    title = (f"{info['cpu']}, {info['isa']}, {datetime.date.today()}; {os.path.basename(os.path.abspath(args.data))}, {images} images, "
             f"`{args.settings} --epochs {args.epochs}`. Mean loss of each epoch.")
    results = {}
    for seed in args.seeds:
        results[seed] = {which: train(args, work, seed, which) for which in SWITCHES[args.switch]}
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
    parser.add_argument("--switch", choices=SWITCHES, default="winograd")
    parser.add_argument("--settings", default=SETTINGS, help="of each run; what is not said is planned for the images, alike for all")
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
