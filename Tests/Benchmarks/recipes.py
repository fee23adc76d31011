#!/usr/bin/env python3
"""Trains a table of settings over data sets and seeds, and measures each: how the values of the planner were found.

    recipes.py --trainer PATH --table recipes.toml --data FOLDER --work FOLDER [--only WORD...] [--minutes M] [--cores 2]
               [--threads 1] [--output FILE.md]

FOLDER of the data holds NAME/train/CLASS/FILE and NAME/val/CLASS/FILE for each name in the table. Every run gets the same
processor time: the speed of a setting is taken from a short run first, in processor seconds an image (so other work on the
machine does not count), and the epochs follow from minutes * cores. Every result is a line of WORK/results.jsonl; what
stands there is not run again, and a run that was stopped goes on where it was. The table of means and standard deviations
over the seeds is written after each run.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tomllib

PROBE_STEPS = 60


def say(text):
    print(f"recipes: {text}", file=sys.stderr, flush=True)


def flags_of(settings):
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def run(command, environment=None):
    """The JSON objects that a command prints, and the processor seconds that it took; ends the program where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"recipes: {' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return [json.loads(line) for line in done.stdout.strip().splitlines()], seconds


class Table:
    def __init__(self, args):
        with open(args.table, "rb") as file:
            table = tomllib.load(file)
        self.args = args
        self.base = table["base"]
        self.settings = table["settings"]
        self.seeds = table.get("seeds", [0])
        self.data = table["data"]
        self.minutes = args.minutes or table["minutes"]
        self.sizes = table.get("sizes", [])
        self.results_path = os.path.join(args.work, "results.jsonl")
        self.results = {}
        if os.path.exists(self.results_path):
            with open(self.results_path) as file:
                self.results = {row["key"]: row for row in map(json.loads, file)}

    def folder(self, data, part):
        return os.path.join(self.args.data, data, part)

    def threads(self):
        return ["--threads", str(self.args.threads), "--workers", str(self.args.threads)] if self.args.threads else []

    def seconds_per_image(self, settings, data):
        """Processor seconds of training an image: two short runs, so that starting up cancels."""
        # Shorter than any warm-up.
        flags = flags_of(settings | {"warmup-epochs": 0})
        images = sum(len(files) for _, _, files in os.walk(self.folder(data, "train")))
        batch = int(flags[flags.index("--batch") + 1])
        times = []
        for epochs in (1, 1 + max(1, PROBE_STEPS * batch // images)):
            output = os.path.join(self.args.work, "probe")
            shutil.rmtree(output, ignore_errors=True)
            _, seconds = run([self.args.trainer, "pretrain", self.folder(data, "train"), *flags, "--epochs", str(epochs),
                              "--output", output, "--json", *self.threads()])
            times.append((epochs, seconds))
        (few, a), (many, b) = times
        return (b - a) / ((many - few) * (images // batch) * batch), images

    def measure(self, name, data, seed, minutes):
        key = f"{name}/{data}/{seed}/{minutes:g}"
        if key in self.results:
            return
        settings = self.base | self.settings[name]
        flags = flags_of(settings)
        output = os.path.join(self.args.work, key.replace("/", "-"))
        plan_path = output + ".json"
        if os.path.exists(plan_path):
            plan = json.load(open(plan_path))
        else:
            cost, images = self.seconds_per_image(settings, data)
            plan = {"images_per_core_second": 1 / cost, "epochs": max(2, round(minutes * 60 * self.args.cores / cost / images))}
            json.dump(plan, open(plan_path, "w"))
        say(f"{key}: {plan['images_per_core_second']:.0f} images a second and core, {plan['epochs']} epochs")
        lines, seconds = run([self.args.trainer, "pretrain", self.folder(data, "train"), *flags, "--epochs", str(plan["epochs"]),
                              "--seed", str(seed), "--output", output, "--json", *self.threads()])
        row = {"key": key, "name": name, "data": data, "seed": seed, "minutes": minutes, **plan, "core_minutes": seconds / 60}
        row |= self.training_figures(output)
        row |= self.evaluation_figures(output, data)
        with open(self.results_path, "a") as file:
            file.write(json.dumps(row) + "\n")
        self.results[key] = row
        say(json.dumps(row))
        self.write()

    @staticmethod
    def training_figures(output):
        with open(os.path.join(output, "metrics.jsonl")) as file:
            rows = [row for row in map(json.loads, file) if "loss" in row]
        last = rows[-max(1, len(rows) // 20):]
        mean = lambda key: statistics.mean(row[key] for row in last if key in row)
        return {"loss": mean("loss") / mean("ln_k") if "ln_k" in last[0] else mean("loss"), "code_entropy": mean("code_entropy"),
                "similarity": mean("similarity"), "spread": mean("score_spread")}

    def evaluation_figures(self, output, data):
        pair = ["--weights", output, "--train", self.folder(data, "train"), "--val", self.folder(data, "val"),
                "--no-raw-pixels", "--json", *self.threads()]
        figures = {}
        for verb, key, extra in [("knn", "knn20", []), ("linear", "linear", [])]:
            for suffix, flags in [("", []), ("_recalibrated", ["--recalibrate"])]:
                lines, _ = run([self.args.trainer, verb, *pair, *flags])
                figures[key + suffix] = next(v for k, v in lines[-1].items() if k.startswith(key[:3]) and isinstance(v, (int, float)) and not isinstance(v, bool))
        for size in self.sizes:
            lines, _ = run([self.args.trainer, "knn", *pair, "--size", str(size), "--recalibrate"])
            figures[f"knn20_at_{size}"] = next(v for k, v in lines[-1].items() if k.startswith("knn"))
        return figures

    def write(self):
        if not self.args.output:
            return
        columns = ["loss", "code_entropy", "knn20", "knn20_recalibrated", "linear", "linear_recalibrated"]
        columns += [f"knn20_at_{size}" for size in self.sizes]
        lines = ["| data, minutes | setting | images/s a core | epochs | " + " | ".join(columns) + " |",
                 "|---|---|---|---|" + "---|" * len(columns)]
        groups = {}
        for row in self.results.values():
            groups.setdefault((row["data"], row["minutes"], row["name"]), []).append(row)
        for (data, minutes, name), rows in sorted(groups.items(), key=lambda item: str(item[0])):
            cells = []
            for column in columns:
                values = [row[column] for row in rows if column in row]
                digits = 3 if column in ("loss", "code_entropy") else 1
                text = f"{statistics.mean(values):.{digits}f}" if values else ""
                cells.append(text + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""))
            lines.append(f"| {data}, {minutes:g} | {name} | {rows[0]['images_per_core_second']:.0f} | {rows[0]['epochs']} | "
                         + " | ".join(cells) + " |")
        with open(self.args.output, "w") as file:
            file.write("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--only", nargs="*", help="settings to run; all unless given")
    parser.add_argument("--on", nargs="*", help="data sets to run on; all of the table unless given")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--cores", type=float, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--output")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    table = Table(args)
    for seed in table.seeds:
        for name in args.only or table.settings:
            for data in args.on or table.data:
                table.measure(name, data, seed, table.minutes)
    table.write()


if __name__ == "__main__":
    main()
