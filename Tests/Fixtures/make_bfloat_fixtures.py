#!/usr/bin/env python3
"""Golden files of bfloat16 for Tests/Engine/parity_test.cpp.

    venv/bin/python Tests/Fixtures/make_bfloat_fixtures.py        # rewrites Tests/Fixtures/parity/bfloat_*.txt

Networks, weights, images and the format are those of make_parity_fixtures.py.

Features: a row is the features of one image, with running batch-norm statistics as they are at the start: norm and projections
in float64, and how far PyTorch under autocast to bfloat16 is off in a projection.

Training, ten steps: `autocast` is the run in float64, and how far PyTorch's autocast of the backbone is off. `casts` is a run
that rounds to bfloat16 exactly where the engine does (class Casts), with all else in float64, and how far the same with all
else in float32 is off. Near ties some numbers fall to the other side there, by 2^-8 of themselves, and carry the masks of ReLUs
with them: a few events, of which one may count as much as all others. So how far off is the root mean square of DRAWS runs,
whose convolutions differ by a rounding of float32, as sums in another order do.
"""
import os

import torch
import torch.nn.functional as F

import make_parity_fixtures as parity

DRAWS = 12


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


def bfloat(x):
    return x.to(torch.bfloat16).to(x.dtype)


class Rounded(torch.autograd.Function):
    """Rounds the value, its gradient, or both."""

    @staticmethod
    def forward(context, x, value, gradient):
        context.gradient = gradient
        return bfloat(x) if value else x.clone()

    @staticmethod
    def backward(context, d):
        return bfloat(d) if context.gradient else d, None, None


def stored(x):  # an activation in memory: its gradient is in memory, too
    return Rounded.apply(x, True, True)


def convolution(layer, x):  # weights are rounded where they are packed, their gradient is not
    y = F.conv2d(x, Rounded.apply(layer.weight, True, False), None, layer.stride, layer.padding)
    if y.dtype == torch.float32 and Casts.draw is not None:
        y = y * (1 + 2.0**-24 * (2 * torch.rand(y.shape, generator=Casts.draw) - 1))
    return stored(y)


class Casts(parity.Network):
    """The backbone with the engine's casts: convolutions read and write bfloat16, batch-norm, ReLU, residual sums and pooling
    compute in full precision and are rounded where the engine stores their result or its gradient."""
    draw = None  # the generator of what distinguishes runs in float32

    def block(self, block, x):
        side = Rounded.apply(x, False, True)
        if block.downsample is not None:
            side = block.downsample[1](convolution(block.downsample[0], side))
        for i in range(1, block.length + 1):
            x = getattr(block, f"bn{i}")(convolution(getattr(block, f"conv{i}"), x))
            if i < block.length:
                x = stored(F.relu(x))
        return stored(F.relu(x + side))

    def backbone(self, x):
        x = Rounded.apply(F.relu(self.bn1(convolution(self.conv1, bfloat(x)))), self.small, True)
        if not self.small:
            x = stored(F.max_pool2d(x, 3, 2, 1))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                x = self.block(block, x)
        return x.mean((2, 3))


class Autocast(parity.Network):
    def backbone(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().backbone(x).float()


def run_as(network, s, dtype):
    plain, parity.Network = parity.Network, network
    try:
        return parity.run(s, dtype)
    finally:
        parity.Network = plain


def runs_of_casts(s):
    for seed in range(DRAWS):
        Casts.draw = torch.Generator().manual_seed(seed)
        yield run_as(Casts, s, torch.float32)


def write_steps(name, s, exact, rounded):
    """`rounded` makes the runs whose errors count."""
    parity.SEED = 1
    s.update(seed=parity.SEED, bfloat16=1)
    exact, rounded = run_as(exact, s, torch.float64), list(rounded(s))
    errors = [parity.root_mean_square([one[0][step] - loss for one in rounded]) for step, loss in enumerate(exact[0])]
    with open(os.path.join(parity.FOLDER, name + ".txt"), "w") as file:
        for key, value in s.items():
            file.write(f"setting {key} " + " ".join(repr(float(x)) for x in (value if isinstance(value, list) else [value])) + "\n")
        for step, (loss, error) in enumerate(zip(exact[0], errors)):
            file.write(f"loss {step} {loss:.12e} {error:.3e}\n")
        file.writelines(parity.rows("gradient", exact[1], *[one[1] for one in rounded]))
        file.writelines(parity.rows("tensor", exact[2], *[one[2] for one in rounded]))
    print(name, "largest loss error:", max(errors))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("bfloat_resnet18", parity.settings(base_width=16, crop_counts=[1], crop_sizes=[40], random_norms=1))
    write("bfloat_resnet50", parity.settings(depth=50, base_width=8, stem=1, crop_counts=[1], crop_sizes=[33], random_norms=1))
    steps = {"steps18": {}, "steps50": dict(depth=50, base_width=4, random_norms=1, weight_decay=2.0**-5),
             "steps_small_stem": dict(stem=1, crop_sizes=[16, 9], optimizer=2, adam_epsilon=2.0**-8, learning_rate=2.0**-12, random_norms=1,
                                      freeze_steps=0)}
    for name, changes in steps.items():
        write_steps(f"bfloat_{name}_autocast", parity.settings(**changes), parity.Network,
                    lambda s: [run_as(Autocast, s, torch.float32)])
        # Ten batches on weights that hardly move: training carries the first difference on, and would hide the next ones.
        write_steps(f"bfloat_{name}_casts", parity.settings(**{**changes, "learning_rate": 2.0**-30}), Casts, runs_of_casts)
