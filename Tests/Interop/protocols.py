#!/usr/bin/env python3
"""The protocols of `trainer evaluate`, from the JPEG files to the figure, against PyTorch, torchvision and scikit-learn with the same
weights.

    protocols.py --trainer PATH --weights RUN --size N --train DIR --val DIR [--seeds N] [--epochs N] [--scratch] PROTOCOL ...

PROTOCOL is features (knn, linear-features, retrieval, svm: what learns nothing or ends at a minimum), linear, transfer, semi1, semi10 or
finetune. The latter are trained N times on either side, with orders, boxes and first weights of their own, on the same labelled images; two
means of N may differ by the root of the sum of their squared standard errors times Student's t of 2 N - 2 degrees at 97.5 %, and by one
image. Ends with 1 where one is further off. N is 2 or more.

Needs torch, torchvision, pillow, numpy, safetensors, scipy and scikit-learn. Of ResNets with the 7x7 stem.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.stats import t as student
from torchvision import transforms

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures"))
import make_evaluation_fixtures as reference  # noqa: E402
from make_torch_fixtures import ResNet  # noqa: E402

# The paper's: epochs, rates of backbone and layer at a batch of 256, decay, from which shares of the epochs on rates are multiplied by
# the factor; a cosine where there are none.
SETTINGS = {
    "linear": dict(epochs=100, rates=(0, 0.3), decay=1e-6, steps=None, factor=0),
    "transfer": dict(epochs=28, rates=(0, 0.01), decay=1e-4, steps=(0.25, 0.5, 0.75), factor=0.1),
    "semi1": dict(epochs=20, rates=(0.02, 5), decay=0, steps=(0.6, 0.8), factor=0.2),
    "semi10": dict(epochs=20, rates=(0.01, 0.2), decay=0, steps=(0.6, 0.8), factor=0.2),
    "finetune": dict(epochs=20, rates=(0.01, 0.2), decay=0, steps=(0.6, 0.8), factor=0.2),
}
SHARE = {"semi1": 0.01, "semi10": 0.1}
BATCH = 256


class Images:
    """A folder DIR/CLASS/FILE, decoded once."""

    def __init__(self, folder):
        self.folder = folder
        self.classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        found = [(f"{name}/{file}", label) for label, name in enumerate(self.classes)
                 for file in sorted(os.listdir(os.path.join(folder, name)))]
        self.names, self.labels = [name for name, _ in found], torch.tensor([label for _, label in found])
        self.pictures = [Image.open(os.path.join(folder, name)).convert("RGB") for name in self.names]

    def views(self, chosen, steps):
        return torch.stack([steps(self.pictures[index]) for index in chosen])


class Views:
    def __init__(self, size, mean, std):
        last = [transforms.ToTensor(), transforms.Normalize(mean, std)]
        self.centre = transforms.Compose([transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size), *last])
        box = transforms.RandomResizedCrop(size, scale=(0.08, 1))
        self.random = transforms.Compose([box, transforms.RandomHorizontalFlip(), *last])


def load(trainer, weights, folder):
    """The backbone, and how its pictures are made."""
    file = os.path.join(folder, "weights.safetensors")
    subprocess.run([trainer, "export", weights, "--format", "safetensors", "--output", file], check=True, stdout=subprocess.DEVNULL)
    state = {key: value for key, value in load_file(file).items() if not key.startswith(("projection_head", "prototypes"))}
    depth = 50 if "layer1.0.conv3.weight" in state else 34 if "layer1.2.conv1.weight" in state else 18
    network = ResNet(depth, state["conv1.weight"].shape[0])
    network.load_state_dict(state)
    network.made_of = (depth, network.conv1.out_channels)
    return network.eval()


def features(network, images, view):
    count = len(images.names)
    with torch.no_grad():
        return torch.cat([network(images.views(range(at, min(at + 250, count)), view)) for at in range(0, count, 250)])


def fresh(network):
    """The same network as it begins: He's normal numbers, batch-norms of 1 and 0."""
    new = type(network)(*network.made_of)
    for module in new.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return new


def factor(settings, epochs, epoch):
    if settings["steps"] is None:
        return 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    return math.prod(settings["factor"] for share in settings["steps"] if epoch >= round(share * epochs))


def learn(network, frozen, train, chosen, val, views, settings, epochs, seed, classes):
    """Percent of val that is right after training."""
    torch.manual_seed(seed)
    batch = min(BATCH, len(chosen))
    layer = torch.nn.Linear(network.dim, classes)
    torch.nn.init.normal_(layer.weight, 0, 0.01)
    torch.nn.init.zeros_(layer.bias)
    groups = [dict(params=layer.parameters(), rate=settings["rates"][1])]
    if not frozen:
        groups.append(dict(params=network.parameters(), rate=settings["rates"][0]))
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=settings["decay"])
    for epoch in range(epochs):
        network.train(not frozen)
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * batch / 256 * factor(settings, epochs, epoch)
        order = [chosen[place] for place in torch.randperm(len(chosen))]
        pixels = labels = None
        for at in range(0, len(order), batch):
            part = order[at:at + batch]
            new, own = train.views(part, views.random), train.labels[part]
            # A batch that is not full has the rest of the one before it, as batch-norm wants; a layer on features takes what there is.
            if len(part) < batch and not frozen:
                new, own = torch.cat([new, pixels[len(part):]]), torch.cat([own, labels[len(part):]])
            pixels, labels = new, own
            if frozen:
                with torch.no_grad():
                    rows = network(pixels)
            else:
                rows = network(pixels)
            loss = torch.nn.functional.cross_entropy(layer(rows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return 100 * float((layer(features(network, val, views.centre)).argmax(1) == val.labels).float().mean())


def trainer_row(given, words):
    done = subprocess.run([given.trainer, "evaluate", *words, "--weights", given.weights, "--size", str(given.size), "--train",
                           given.train, "--val", given.val, "--no-raw-pixels", "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"trainer evaluate {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare_features(given, network, train, val, views):
    """Deterministic protocols: 0.3 points, of which the view's other rounding takes some."""
    learned, asked = (features(network, images, views.centre).numpy() for images in (train, val))
    labels, truth = train.labels.numpy(), val.labels.numpy()
    one = [np.where(values == np.arange(len(train.classes))[:, None], 1, -1) for values in (labels, truth)]
    expected = {"knn": reference.knn(learned, labels, asked, truth),
                "linear-features": reference.linear_features(learned, labels, asked, truth),
                "retrieval": reference.retrieval(learned, labels, asked, truth),
                "svm": {"svm_map": reference.svm(learned, one[0], asked, one[1], costs=(1,))["1"]}}
    wrong = 0
    for protocol, figures in expected.items():
        found = trainer_row(given, [protocol, *(["--costs", "1"] if protocol == "svm" else [])])
        for name, value in figures.items():
            wrong += line(name, [found[name]], [value], 0.3)
    return wrong


def line(name, ours, theirs, allowed):
    difference = float(np.mean(ours) - np.mean(theirs))
    is_wrong = abs(difference) > allowed
    print(f"{name:24} here {np.mean(ours):6.2f}   PyTorch {np.mean(theirs):6.2f}   difference {difference:+.2f}, {allowed:.2f} allowed"
          + ("  FURTHER OFF" if is_wrong else ""), flush=True)
    return is_wrong


def compare_training(given, name, start, train, val, views, scratch=False):
    settings = dict(SETTINGS[name])
    epochs, frozen = given.epochs or settings["epochs"], name in ("linear", "transfer")
    if scratch:
        settings["rates"] = (0.1, 0.1)
    chosen, words = list(range(len(train.names))), [name, "--epochs", str(epochs), "--seeds", str(given.seeds)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        if name in SHARE:
            each = max(1, round(SHARE[name] * len(chosen) / len(train.classes)))
            generator = torch.Generator().manual_seed(0)
            places = [torch.nonzero(train.labels == label).flatten() for label in range(len(train.classes))]
            chosen = [int(own[place]) for own in places for place in torch.randperm(len(own), generator=generator)[:each]]
            file.write("\n".join(train.names[index] for index in chosen) + "\n")
            file.flush()
            backbone, layer = SETTINGS[name]["rates"]
            words = ["semi", *words[1:], "--list", file.name, "--rate", str(backbone), "--head-rate", str(layer)]
        if not frozen and not scratch:
            words.append("--no-scratch")
        row = trainer_row(given, words)
    key = {"linear": "linear_sgd", "transfer": "transfer", "finetune": "finetune"}.get(name, "semi") + ("_scratch" if scratch else "")
    ours, deviation = row[key], row.get(key + "_deviation", 0)
    theirs = []
    for seed in range(given.seeds):
        torch.manual_seed(1000 + seed)
        network = fresh(start)
        if not scratch:
            network.load_state_dict(start.state_dict())
        theirs.append(learn(network, frozen, train, chosen, val, views, settings, epochs, seed, len(train.classes)))
    spread = float(np.std(theirs, ddof=1))
    quantile = float(student.ppf(0.975, 2 * given.seeds - 2))
    allowed = quantile * math.sqrt((deviation**2 + spread**2) / given.seeds) + 100 / len(val.names)
    return line(f"{key if name not in SHARE else name + key[4:]} ({epochs} epochs)", [ours], theirs, allowed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("trainer", "weights", "train", "val"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--size", type=int, required=True, help="pixels a side that the network was trained for")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="in place of the paper's")
    parser.add_argument("--scratch", action="store_true", help="semi and finetune from scratch as well")
    parser.add_argument("protocols", nargs="+", choices=["features", *SETTINGS])
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("--seeds is 1; two or more are needed to know how far apart chance sets them")
    with tempfile.TemporaryDirectory() as folder:
        network = load(given.trainer, given.weights, folder)
    train, val = Images(given.train), Images(given.val)
    views = Views(given.size, (0.485, 0.456, 0.406), (0.228, 0.224, 0.225))
    wrong = 0
    for name in given.protocols:
        if name == "features":
            wrong += compare_features(given, network, train, val, views)
            continue
        for scratch in (False, True) if given.scratch and name in ("semi1", "semi10", "finetune") else (False,):
            wrong += compare_training(given, name, network, train, val, views, scratch)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
