#!/usr/bin/env python3
"""Times steps of `trainer pretrain` on several ranks of this machine, in turn, and compares them.

    ranks.py sums    --trainer PATH [--rounds 3] [--steps 12] IMAGES [FLAGS]   one process of two threads, two ranks of one thread with
                                                                         ordered and with fast sums, and sums in parts
    ranks.py network --trainer PATH [--ranks 2] [--rate 1Gb/s] [--delay 0.5ms] ... IMAGES
                                                                         ranks in network namespaces of their own, against the model
                                                                         of `trainer plan --hosts`

FLAGS are settings of pretrain. Figures of one run compare; those of two runs do not. Namespaces need root, `ip` and `tc`; where they
are not allowed this says so and ends with 0. A step is the median over the steps of all rounds, but for the first two of each.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

SMALL = "--arch resnet18 --base-width 64 --crops 2x64+4x32 --batch 64 --prototypes 100".split()
QUIET = "--no-report --checkpoint-minutes 0 --knn-every 0 --recalibrate off --threads {threads} --workers 1".split()
MPIRUN = "mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none".split()
BRIDGE = "swav-bridge"


def host_name(rank):
    return f"swav-host{rank}"


def address(rank):
    return f"10.77.12.{rank + 1}"


def step_seconds(command, steps, twins=0):
    """Seconds of each step but the first, as the run's own rows have them: mpirun hands lines on in bunches. Twins are the same
    command, beside it: ranks of one machine that exchange nothing."""
    times = []
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        words = command + ["--output", folder + "/run", "--steps", str(steps), "--json"]
        others = [subprocess.Popen(command + ["--output", f"{folder}/twin{i}", "--steps", str(10 * steps)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment) for i in range(twins)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            for line in process.stdout:
                row = json.loads(line) if line.startswith("{") else {}
                if row.get("type") == "step":
                    times.append(row["seconds"])
        for other in others:
            other.kill()
            other.wait()
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"ranks: {' '.join(words)} ended with {process.returncode}: {errors.read().decode()[-600:]}")
    return [b - a for a, b in zip(times[1:], times[2:])]


def measure(ways, twins, rounds, steps):
    """Medians of each way, which take turns, beside as many others of its kind as `twins` says."""
    found = {name: [] for name in ways}
    for turn in range(rounds):
        for name in (list(ways) if turn % 2 == 0 else list(ways)[::-1]):
            found[name] += step_seconds(ways[name], steps, twins.get(name, 0))
    return {name: statistics.median(times) for name, times in found.items()}


def pretrain(arguments, threads, more=()):
    quiet = [word.format(threads=threads) for word in QUIET]
    return [arguments.trainer, "pretrain", arguments.images] + quiet + (arguments.flags or SMALL) + list(more)


def sums(arguments):
    two = MPIRUN + ["-n", "2"]
    medians = measure({
        "one process, 2 threads": pretrain(arguments, 2),
        "2 ranks of 1 thread, ordered sums": two + pretrain(arguments, 1),
        "2 ranks of 1 thread, fast sums": two + pretrain(arguments, 1, ["--rank-sums", "fast"]),
        "one process, 2 threads, 2 parts": pretrain(arguments, 2, ["--sum-parts", "2"]),
        "one process, 2 threads, 4 parts": pretrain(arguments, 2, ["--sum-parts", "4"]),
        "2 ranks of 1 thread, 4 parts": two + pretrain(arguments, 1, ["--sum-parts", "4"]),
    }, {}, arguments.rounds, arguments.steps)
    first = medians["one process, 2 threads"]
    print("| way | seconds a step | speed against one process |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.3f} | {first / seconds:.3f} |")


def command(text, check=True):
    return subprocess.run(text.split(), capture_output=True, text=True, check=check)


def clear_hosts(ranks):
    for rank in range(ranks):
        command(f"ip link del swav-port{rank}", check=False)
        command(f"ip netns del {host_name(rank)}", check=False)
    command(f"ip link del {BRIDGE}", check=False)


def plug_in(rank):
    """Puts the two ends of a link where they belong, a namespace and the bridge; the beginnings of the commands that shape them."""
    host, link, port = host_name(rank), f"swav-link{rank}", f"swav-port{rank}"
    inside = f"ip netns exec {host} "
    command(f"ip netns add {host}")
    command(f"ip link set {link} netns {host}")
    command(inside + f"ip address add {address(rank)}/24 dev {link}")
    command(inside + f"ip link set {link} up")
    command(inside + "ip link set lo up")
    command(f"ip link set {port} master {BRIDGE} up")
    return [inside + f"tc qdisc add dev {link} root ", f"tc qdisc add dev {port} root "]


def microseconds(delay):
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", delay).groups()
    return float(number) * {"us": 1, "ms": 1000, "s": 1000000}[unit]


@contextlib.contextmanager
def hosts(ranks, rate, delay):
    """A namespace for each rank, on one bridge: links of that rate in each direction, which take half of the delay from one host to
    another. Delays are the kernel's (netem), or where it has none those of a program that keeps every frame for so long."""
    half = round(microseconds(delay) / 2)
    keepers = []
    clear_hosts(ranks)
    try:
        command(f"ip link add {BRIDGE} up type bridge")
        for rank in range(ranks):
            command(f"ip link add swav-link{rank} type veth peer name swav-port{rank}")
            shaped = [command(shape + f"netem delay {half}us rate {rate} limit 20000", check=False) for shape in plug_in(rank)]
            if any(tried.returncode for tried in shaped):
                command(f"ip link del swav-port{rank}")  # at once, and the other end with it; of a namespace it takes a while
                command(f"ip netns del {host_name(rank)}")
                keepers.append(delayed_link(half, rank))
                for shape in plug_in(rank):
                    command(shape + f"tbf rate {rate} burst 128k latency 50ms")
        yield
    finally:
        for keeper in keepers:
            keeper.kill()
            keeper.wait()
        clear_hosts(ranks)


def delayed_link(delay, rank):
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "delayed_link.c")
    with tempfile.TemporaryDirectory() as folder:
        program = folder + "/delayed_link"
        subprocess.run(["cc", "-O2", "-o", program, source], capture_output=True, text=True, check=True)
        link = subprocess.Popen([program, str(delay), f"swav-link{rank}", f"swav-port{rank}"], stdout=subprocess.PIPE)
        if link.stdout.readline() != b"ready\n":
            raise OSError("no delayed link")
    return link


def launcher(folder, ranks):
    """What mpirun calls in place of ssh: `launcher ADDRESS COMMAND..` within that namespace, as a host of its own name."""
    path = folder + "/launcher"
    with open(path, "w") as file:
        file.write("#!/bin/bash\ncase $1 in\n")
        for rank in range(ranks):
            file.write(f"  {address(rank)}) host={host_name(rank)} ;;\n")
        file.write('esac\nshift\nexec ip netns exec $host unshare --uts bash -c "hostname $host; $*"\n')
    os.chmod(path, 0o755)
    return path


def across(folder, ranks):
    """mpirun with a rank in each namespace."""
    addresses = ",".join(map(address, range(ranks)))
    return (f"ip netns exec {host_name(0)} " + " ".join(MPIRUN) + f" -n {ranks} --host {addresses} --map-by node "
            f"--mca plm_rsh_agent {launcher(folder, ranks)} --mca btl tcp,self --mca btl_tcp_if_include 10.77.12.0/24 "
            "--mca oob_tcp_if_include 10.77.12.0/24").split()


def network(arguments):
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        return print("ranks: passed over: network namespaces need root, ip and tc")
    ranks = arguments.ranks
    part = pretrain(arguments, 1)
    batch = part.index("--batch") + 1
    part[batch] = str(int(part[batch]) // ranks)
    near = MPIRUN + ["-n", str(ranks)] + pretrain(arguments, 1)
    rate = arguments.rate.replace("Gb/s", "gbit").replace("Mb/s", "mbit")
    try:
        with tempfile.TemporaryDirectory() as folder, hosts(ranks, rate, arguments.delay):
            ways = {"part": part, "near": near, "across": across(folder, ranks) + pretrain(arguments, 1)}
            medians = measure(ways, {"part": ranks - 1}, arguments.rounds, arguments.steps)
    except subprocess.CalledProcessError as error:
        return print(f"ranks: passed over: {' '.join(error.cmd)}: {error.stderr.strip()}")
    except OSError as error:
        return print(f"ranks: passed over: {error}")
    words = [arguments.trainer, "plan", arguments.images, "--threads", "1", "--steps", "10", "--hosts", str(ranks), "--network",
             arguments.rate, "--latency", arguments.delay, "--json"] + (arguments.flags or SMALL)
    rows = [json.loads(line) for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()]
    row = next(row for row in rows if row["type"] == "hosts" and row["hosts"] == ranks)
    # The plan expects a speed of this machine; what is measured is known better, and hides as much of the messages as it lasts.
    slower = min(1, medians["part"] / (row["step_seconds"] - row["network_seconds"]))
    planned = row["network_seconds"] + row["hidden_seconds"] * (1 - slower)
    ways = [("a rank's part of the batch, beside others like it", medians["part"]), ("the ranks side by side", medians["near"])]
    print(f"{'; '.join(f'{what}: {seconds:.3f} s' for what, seconds in ways)}; over {arguments.rate} and {arguments.delay}: "
          f"{medians['across']:.3f} s")
    # Side by side ranks wait for one another as hosts of equal speed do not: the cores of a machine that others use differ.
    for what, without in ways:
        step = without + planned
        print(f"{what}, and the network's {planned:.3f} s of the model: {step:.3f} s; measured {medians['across'] / step - 1:+.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sums", "network"])
    parser.add_argument("images")
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rate", default="1Gb/s")
    parser.add_argument("--delay", default="0.5ms")
    arguments, arguments.flags = parser.parse_known_args()
    if not shutil.which("mpirun"):
        return print("ranks: passed over: mpirun is not installed")
    {"sums": sums, "network": network}[arguments.what](arguments)


if __name__ == "__main__":
    main()
