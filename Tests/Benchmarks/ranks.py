#!/usr/bin/env python3
"""Times steps of `trainer pretrain` on several ranks of this machine, in turn, and compares them.

    ranks.py sums    --trainer PATH [--rounds 3] [--steps 12] IMAGES [FLAGS]   one process of two threads, two ranks of one thread with
                                                                         ordered and with fast sums, and sums in parts
    ranks.py network --trainer PATH [--rate 1Gb/s] [--delay 0.5ms] ... IMAGES  two ranks in two network namespaces, against the model
                                                                         of `trainer plan --hosts`

FLAGS are settings of pretrain. Figures of one run compare; those of two runs do not. Namespaces need root, `ip` and `tc`; where they
are not allowed this says so and ends with 0. A step is the median over the steps of all rounds, but for the first two of each.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

SMALL = "--arch resnet18 --base-width 64 --crops 2x64+4x32 --batch 64 --prototypes 100".split()
QUIET = "--no-report --checkpoint-minutes 0 --knn-every 0 --recalibrate off --threads {threads} --workers 1".split()
MPIRUN = "mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none".split()
HOSTS = [("swav-host0", "10.77.12.1"), ("swav-host1", "10.77.12.2")]


def step_seconds(command, steps, twin=False):
    """Seconds of each step but the first, as the run's own rows have them: mpirun hands lines on in bunches. With a twin the same
    command runs beside it, as two ranks of one machine have it that exchange nothing."""
    times = []
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        words = command + ["--output", folder + "/run", "--steps", str(steps), "--json"]
        other = subprocess.Popen(command + ["--output", folder + "/twin", "--steps", str(10 * steps)], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=environment) if twin else None
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            for line in process.stdout:
                row = json.loads(line) if line.startswith("{") else {}
                if row.get("type") == "step":
                    times.append(row["seconds"])
        if other:
            other.kill()
            other.wait()
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"ranks: {' '.join(words)} ended with {process.returncode}: {errors.read().decode()[-600:]}")
    return [b - a for a, b in zip(times[1:], times[2:])]


def measure(ways, rounds, steps, twins=()):
    """Medians of each way, which take turns; those of `twins` beside another of their kind."""
    found = {name: [] for name in ways}
    for turn in range(rounds):
        for name in (list(ways) if turn % 2 == 0 else list(ways)[::-1]):
            found[name] += step_seconds(ways[name], steps, name in twins)
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
    }, arguments.rounds, arguments.steps)
    first = medians["one process, 2 threads"]
    print("| way | seconds a step | speed against one process |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.3f} | {first / seconds:.3f} |")


def command(text, check=True):
    return subprocess.run(text.split(), capture_output=True, text=True, check=check)


def clear_hosts():
    for name, _ in HOSTS:
        command(f"ip netns del {name}", check=False)


def make_hosts(rate, delay):
    """Two namespaces with a link of that rate in each direction, and that delay of a message: the delay that there is, as not every
    kernel can make one."""
    clear_hosts()
    command("ip link add swav-link0 type veth peer name swav-link1")
    for i, (name, address) in enumerate(HOSTS):
        command(f"ip netns add {name}")
        command(f"ip link set swav-link{i} netns {name}")
        inside = f"ip netns exec {name} "
        command(inside + f"ip address add {address}/24 dev swav-link{i}")
        command(inside + f"ip link set swav-link{i} up")
        command(inside + "ip link set lo up")
        shaped = command(inside + f"tc qdisc add dev swav-link{i} root netem delay {delay} rate {rate} limit 20000", check=False)
        if shaped.returncode != 0:
            command(inside + f"tc qdisc add dev swav-link{i} root tbf rate {rate} burst 128k latency 50ms")
            delay = "20us"
    return delay


def launcher(folder):
    """What mpirun calls in place of ssh: `launcher ADDRESS COMMAND..` within that namespace, as a host of its own name."""
    path = folder + "/launcher"
    with open(path, "w") as file:
        file.write("#!/bin/bash\ncase $1 in\n")
        for name, address in HOSTS:
            file.write(f"  {address}) host={name} ;;\n")
        file.write('esac\nshift\nexec ip netns exec $host unshare --uts bash -c "hostname $host; $*"\n')
    os.chmod(path, 0o755)
    return path


def across(folder):
    """mpirun with a rank in each namespace."""
    addresses = ",".join(address for _, address in HOSTS)
    return (f"ip netns exec {HOSTS[0][0]} " + " ".join(MPIRUN) + f" -n 2 --host {addresses} --map-by node "
            f"--mca plm_rsh_agent {launcher(folder)} --mca btl tcp,self --mca btl_tcp_if_include 10.77.12.0/24 "
            "--mca oob_tcp_if_include 10.77.12.0/24").split()


def network(arguments):
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        return print("ranks: passed over: network namespaces need root, ip and tc")
    try:
        delay = make_hosts(arguments.rate.replace("Gb/s", "gbit").replace("Mb/s", "mbit"), arguments.delay)
    except subprocess.CalledProcessError as error:
        clear_hosts()
        return print(f"ranks: passed over: {' '.join(error.cmd)}: {error.stderr.strip()}")
    if delay != arguments.delay:
        print(f"ranks: this kernel delays no messages (netem): {delay} in place of {arguments.delay}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            half = pretrain(arguments, 1)
            batch = half.index("--batch") + 1
            half[batch] = str(int(half[batch]) // 2)
            medians = measure({"half": half, "near": MPIRUN + ["-n", "2"] + pretrain(arguments, 1),
                               "across": across(folder) + pretrain(arguments, 1)}, arguments.rounds, arguments.steps, ["half"])
    finally:
        clear_hosts()
    flags = arguments.flags or SMALL
    words = [arguments.trainer, "plan", arguments.images, "--threads", "1", "--steps", "10", "--hosts", "2", "--network",
             arguments.rate, "--latency", delay, "--json"] + flags
    rows = [json.loads(line) for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()]
    row = next(row for row in rows if row["type"] == "hosts" and row["hosts"] == 2)
    # The plan expects a speed of this machine; what is measured is known better, and hides as much of the messages as it lasts.
    slower = min(1, medians["half"] / (row["step_seconds"] - row["network_seconds"]))
    planned = row["network_seconds"] + row["hidden_seconds"] * (1 - slower)
    print(f"half the batch, beside another half: {medians['half']:.3f} s; 2 ranks side by side: {medians['near']:.3f} s; over {arguments.rate} and "
          f"{delay}: {medians['across']:.3f} s")
    # Side by side ranks wait for one another as hosts of equal speed do not: the two cores of a machine that others use differ.
    for what, without in [("half the batch", medians["half"]), ("2 ranks side by side", medians["near"])]:
        step = without + planned
        print(f"{what} and the network's {planned:.3f} s of the model: {step:.3f} s; measured {medians['across'] / step - 1:+.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sums", "network"])
    parser.add_argument("images")
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rate", default="1Gb/s")
    parser.add_argument("--delay", default="0.5ms")
    arguments, arguments.flags = parser.parse_known_args()
    if not shutil.which("mpirun"):
        return print("ranks: passed over: mpirun is not installed")
    {"sums": sums, "network": network}[arguments.what](arguments)


if __name__ == "__main__":
    main()
