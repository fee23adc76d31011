#!/usr/bin/env python3
"""Golden files of features in bfloat16 for Tests/Engine/parity_test.cpp: PyTorch in float64, and under autocast to bfloat16.

    venv/bin/python Tests/Fixtures/make_bfloat_fixtures.py        # rewrites Tests/Fixtures/parity/bfloat_*.txt

Networks, weights, images and the format are those of make_parity_fixtures.py. A row is the features of one image, with running
batch-norm statistics as they are at the start: norm and projections in float64, and how far autocast is off in a projection.
"""
import os

import torch

import make_parity_fixtures as parity


def features(s, autocast):
    network = parity.Network(s)
    parity.fill(network, s["random_norms"])
    network.eval()
    network.before_pool = []
    images = parity.crops(s, 0, 0)
    with torch.no_grad():
        if not autocast:
            return network.double().backbone(images.double()).numpy()
        with torch.autocast("cpu", torch.bfloat16):
            return network.backbone(images).double().numpy()


def write(name, s):
    parity.SEED = 1
    s["seed"] = parity.SEED
    exact, rounded = features(s, False), features(s, True)
    named = lambda rows: {f"image{i}": row for i, row in enumerate(rows)}
    with open(os.path.join(parity.FOLDER, name + ".txt"), "w") as file:
        for key, value in s.items():
            file.write(f"setting {key} " + " ".join(repr(float(x)) for x in (value if isinstance(value, list) else [value])) + "\n")
        file.writelines(parity.rows("features", named(exact), named(rounded)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("bfloat_resnet18", parity.settings(base_width=16, crop_counts=[1], crop_sizes=[40], random_norms=1))
    write("bfloat_resnet50", parity.settings(depth=50, base_width=8, stem=1, crop_counts=[1], crop_sizes=[33], random_norms=1))
