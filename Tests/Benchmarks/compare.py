#!/usr/bin/env python3
"""Times `trainer bench` against torch_peer.py, in turn on this machine, and writes a table of the medians.

    compare.py --trainer PATH [--python PYTHON_WITH_TORCH] [--pairs 3] [--steps 5] [--strongest] [--isa avx2]
               [--only WORDS] [--output FILE.md]

Figures of one run compare; those of two runs do not: machines drift. Without a Python that has torch the table has our
figures alone.
"""
import argparse
import datetime
import glob
import json
import os
import statistics
import subprocess
import sys

SMALL = ["--arch", "resnet18", "--crops", "2x64+4x32", "--batch", "64", "--prototypes", "100"]
MATRIX = ["--batch", "4096", "--prototypes", "3000"]
# What, verb, flags, key, flags of ours alone.
WORK = [
    ("training step, ResNet-50, 2x224+6x96, batch 8", "step", ["--arch", "resnet50"], "images_per_second", []),
    ("training step, ResNet-18, 2x224+6x96, batch 8", "step", ["--arch", "resnet18"], "images_per_second", []),
    ("training step, ResNet-18, 2x64+4x32, batch 64", "step", SMALL, "images_per_second", []),
    ("features, ResNet-50, 224, batch 8", "embed", ["--batch", "8"], "images_per_second", []),
    ("features, ResNet-50, 224, batch 1", "embed", ["--batch", "1"], "images_per_second", []),
    ("features, ResNet-50, 224, batch 8, int8", "embed", ["--batch", "8"], "images_per_second", ["--precision", "int8"]),
    ("codes, 4096 x 3000", "sinkhorn", MATRIX, "codes_ms", []),
    ("loss and its gradient, 4096 x 3000", "sinkhorn", MATRIX, "loss_and_gradient_ms", []),
]
PEERS = {"step": [[], ["--channels-last"]],
         "embed": [[], ["--channels-last"], ["--freeze"], ["--freeze", "--channels-last"]],
         "sinkhorn": [[]]}


def allocators():
    """Faster memory allocators that are installed: what --strongest adds to PyTorch."""
    found = []
    for pattern in ("libtcmalloc_minimal.so*", "libjemalloc.so*"):
        found += sorted(glob.glob(f"/usr/lib/*/{pattern}"))[:1]
    return found


def run(command, environment):
    """The last JSON object that a command prints, or None where it fails."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"compare: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def peers_of(verb, strongest):
    """(flags, environment) of each way to run PyTorch."""
    ways = [(flags, {}) for flags in PEERS[verb]]
    if not strongest:
        return ways
    if verb == "step":
        ways += [(flags + ["--compile"], {}) for flags in PEERS[verb]]
    return ways + [(flags, {"LD_PRELOAD": library}) for flags, _ in ways for library in allocators()]


def measure(args, work):
    """Medians of ours, and of the best way to run PyTorch: figure and peak memory of each."""
    name, verb, flags, key, own_flags = work
    more_is_better = key == "images_per_second"
    own_environment = {"SWAV_MAX_ISA": args.isa} if args.isa else {}
    peer_environment = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"} if args.isa == "avx2" else {}
    common = flags + ["--steps", str(args.steps)]
    ways = peers_of(verb, args.strongest) if args.python else []
    ours, theirs = [], [[] for _ in ways]
    for _ in range(args.pairs):
        ours.append(run([args.trainer, "bench", verb, *common, *own_flags, "--json"], own_environment))
        for results, (way, environment) in zip(theirs, ways):
            peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_peer.py")
            results.append(run([args.python, peer, verb, *common, *way], peer_environment | environment))
        if ours[-1] is None:
            sys.exit(1)
        print(f"compare: {name}: ours {ours[-1][key]:.4g}", file=sys.stderr)

    def middle(results, of):
        values = [result[of] for result in results if result and of in result]
        return statistics.median(values) if values else None

    best = None
    for results in theirs:
        value = middle(results, key)
        if value is not None and (best is None or (value > best[0]) == more_is_better):
            best = (value, middle(results, "peak_rss_gib"))
    return middle(ours, key), middle(ours, "peak_rss_gib"), best


def row(work, ours, memory, best):
    name, verb, _, key, _ = work
    unit = "images/s" if key == "images_per_second" else "ms"
    cells = [name, f"{ours:.4g} {unit}", "-", "-", "-"]
    if best:
        ratio = ours / best[0] if unit == "images/s" else best[0] / ours
        cells[2:4] = [f"{best[0]:.4g} {unit}", f"{ratio:.2f}"]
        if verb == "step":
            cells[4] = f"{memory:.2f} / {best[1]:.2f} GiB"
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--python")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--strongest", action="store_true")
    parser.add_argument("--isa", choices=["avx512", "avx2", "baseline"])
    parser.add_argument("--only", default="", help="the rows whose name holds this")
    parser.add_argument("--output")
    args = parser.parse_args()
    info = run([args.trainer, "info", "--json"], {})
    title = "PyTorch, the best of its ways" if args.strongest else "PyTorch as installed"
    lines = [f"{info['cpu']}, {info['threads']} threads, {args.isa or info['isa']}, {datetime.date.today()}. Medians of {args.pairs} "
             "runs of each, in turn.", "", f"| work | ours | {title} | times as fast | peak memory |", "|---|---|---|---|---|"]
    for work in (work for work in WORK if args.only in work[0]):
        lines.append(row(work, *measure(args, work)))
        print(lines[-1], flush=True)
    if args.output:
        with open(args.output, "w") as file:
            file.write("\n".join(lines) + "\n")
        print(f"written to {args.output}")


if __name__ == "__main__":
    sys.exit(main())
