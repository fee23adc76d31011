#!/usr/bin/env python3
"""Golden files for Tests/Engine/parity_test.cpp: ten training steps of SwAV, and of a supervised classifier, in PyTorch, in float64 and in float32.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python Tests/Fixtures/make_parity_fixtures.py        # rewrites Tests/Fixtures/parity/*.txt

Weights, crops and projections come from the counter-based generator of cpp/base/random.h, which both sides compute, so only
results are stored: the loss of every step, and for every gradient of step 1 and every weight and buffer after the last step its
norm in float64, six projections on fixed random directions in float64, and how far the float32 run is off in such a projection
(expected root mean square). Everything is written from the published description: ResNet v1.5 with torchvision's tensor names,
multi-crop forward by resolution, Sinkhorn-Knopp, queue, swapped loss, SGD under LARC, AdamW.

Rounding must not decide anything discrete in step 1, or errors are a matter of luck: each case takes the first seed for which no input
of a ReLU and no two rivals of a max-pool window are nearer than four float32 errors (root mean square of their layer), or four of
Winograd's, which are GROWTH times as large. The learning rate is small enough for such decisions in later steps to stay below
rounding.

The gradient of projection_head.0.bias is exactly zero, as that bias feeds a batch-norm; both runs here set it to zero, since LARC
would amplify its rounding to a full step.
"""
import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

PROJECTIONS = 6
WEIGHTS, NOISE, COARSE, PROJECTION, SCORES = 1, 2, 3, 4, 5  # what a stream of the generator is for
# Rounding of Winograd's F(4x4, 3x3) against a direct sum of 9 products for each channel: Tests/Engine/winograd_test.cpp derives 97.
GROWTH = 97 / 9
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parity")


# ---- The generator of cpp/base/random.h ----------------------------------------------------------------------------------

def philox(counter, key):
    """Philox4x32-10 on arrays: counter four, key two arrays (or numbers) of uint64 below 2^32."""
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    c, k = [np.asarray(x, np.uint64) for x in counter], [int(x) for x in key]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k[0]), p1 & mask, (p0 >> shift) ^ c[3] ^ np.uint64(k[1]), p0 & mask]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


SEED = 1  # of every stream; write_case moves it


def stream(count, a, b=0, c=0, purpose=100):
    """The first `count` numbers of a stream, in [-1, 1), exact in float32."""
    state = [purpose, 0, 0, 0]
    for word in (SEED, a, b, c):
        state = [int(x) for x in philox(state, (word & 0xFFFFFFFF, word >> 32))]
    block = np.arange((count + 3) // 4, dtype=np.uint64)
    bits = np.stack(np.broadcast_arrays(*philox((block, block * 0, block * 0 + np.uint64(state[2]), block * 0 + np.uint64(state[3])),
                                                state[:2])), 1)
    return (bits.reshape(-1)[:count] >> np.uint64(8)).astype(np.float64) * 2.0**-23 - 1.0


def hashed(name):
    """FNV-1a: names a tensor's streams."""
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


# ---- The network ----------------------------------------------------------------------------------------------------------

class Block(nn.Module):
    """A basic or bottleneck block, v1.5: the stride sits on the first 3x3 convolution."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        kernels = ((1, 1), (3, stride), (1, 1)) if bottleneck else ((3, stride), (3, 1))
        channels = [inputs] + [width] * (len(kernels) - 1) + [outputs]
        self.length = len(kernels)
        for i, (kernel, step) in enumerate(kernels):
            setattr(self, f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.length + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.length:
                y = F.relu(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Prototypes(nn.Module):
    def __init__(self, dim, counts):
        super().__init__()
        for i, count in enumerate(counts):
            setattr(self, f"prototypes{i}", nn.Linear(dim, count, bias=False))


class Network(nn.Module):
    def __init__(self, s):
        super().__init__()
        base, bottleneck = s["base_width"], s["depth"] == 50
        self.small = s["stem"] == 1
        self.conv1 = nn.Conv2d(3, base, 3, 1, 1, bias=False) if self.small else nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        inputs = base
        for stage, blocks in enumerate({18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}[s["depth"]]):
            layers = []
            for i in range(blocks):
                layers.append(Block(inputs, base << stage, 2 if stage > 0 and i == 0 else 1, bottleneck))
                inputs = (base << stage) * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.projection_head = nn.Sequential(nn.Linear(inputs, s["hidden"]), nn.BatchNorm1d(s["hidden"]), nn.ReLU(),
                                             nn.Linear(s["hidden"], s["dim"]))
        counts = s["prototypes"]
        self.prototypes = nn.Linear(s["dim"], counts[0], bias=False) if len(counts) == 1 else Prototypes(s["dim"], counts)

    def heads(self):
        return [self.prototypes] if isinstance(self.prototypes, nn.Linear) else list(self.prototypes.children())

    def backbone(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            self.before_pool.append(x.detach())
            x = F.max_pool2d(x, 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))

    def forward(self, groups):
        self.before_pool = []
        z = F.normalize(self.projection_head(torch.cat([self.backbone(x) for x in groups])), dim=1)
        return z, [head(z) for head in self.heads()]


def last_norm(network):
    return f"bn{network.layer1[0].length}.weight"


def fill(network, random_norms):
    """Deterministic weights: uniform with the variance of the published initialisation. random_norms: batch-norms too, and those that
    end a branch a quarter as large, which keeps fifty layers well conditioned."""
    for name, p in network.named_parameters():
        u = stream(p.numel(), WEIGHTS, hashed(name))
        if p.dim() == 4:
            u = u * math.sqrt(6.0 / (p.shape[0] * p.shape[2] * p.shape[3]))
        elif p.dim() == 2:
            u = u * math.sqrt(1.0 / p.shape[1])
        elif name in ("projection_head.0.bias", "projection_head.3.bias"):
            u = u * 0.125
        else:
            u = (1.0 if name.endswith("weight") else 0.0) + (u * 0.25 if random_norms else u * 0.0)
            if random_norms and name.startswith("layer") and name.endswith(last_norm(network)):
                u = u * 0.25
        p.data.copy_(torch.from_numpy(u.astype(np.float32).reshape(tuple(p.shape))))


def crops(s, step, group):
    """[count * batch][3][size][size]: a coarse pattern that the crops of an image share, mirrored in every second crop, and noise."""
    size, count, batch = s["crop_sizes"][group], s["crop_counts"][group], s["batch"]
    coarse = stream(batch * 3 * 16, COARSE, step).reshape(batch, 3, 4, 4)
    noise = stream(count * batch * size * size * 3, NOISE, step, group).reshape(count, batch, size, size, 3)
    cell = np.arange(size) * 4 // size
    image = coarse[:, :, cell][:, :, :, cell].transpose(0, 2, 3, 1)
    views = np.stack([image[:, :, ::-1] if v % 2 else image for v in range(count)])
    x = (views + 0.5 * noise).reshape(count * batch, size, size, 3)
    return torch.from_numpy(x.astype(np.float32)).permute(0, 3, 1, 2).contiguous()


# ---- SwAV -----------------------------------------------------------------------------------------------------------------

@torch.no_grad()
def sinkhorn(scores, epsilon, iterations):
    q = torch.exp((scores - scores.max()) / epsilon).t()
    q = q / q.sum()
    k, n = q.shape
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / k
        q = q / q.sum(0, keepdim=True) / n
    return (q * n).t()


def epsilon_of(s, scores):
    return max(s["epsilon_floor"], s["epsilon"] * float(scores.std(0).mean())) if s["relative"] else s["epsilon"]


def swapped_loss(s, z, scores, queue, network):
    batch, crop_count, loss = s["batch"], sum(s["crop_counts"]), 0
    for head, head_scores in zip(network.heads(), scores):
        for a, i in enumerate(s["assign"]):
            own = head_scores[batch * i:batch * (i + 1)].detach()
            epsilon = epsilon_of(s, own)
            all_scores = own if queue is None else torch.cat([queue[a] @ head.weight.detach().t(), own])
            q = sinkhorn(all_scores, epsilon, s["iterations"])[-batch:]
            for v in range(crop_count):
                if v != i:
                    log_p = F.log_softmax(head_scores[batch * v:batch * (v + 1)] / s["temperature"], 1)
                    loss = loss - (q * log_p).sum(1).mean() / (len(s["assign"]) * (crop_count - 1) * len(scores))
    return loss


class Larc:
    def __init__(self, parameters, s):
        self.parameters, self.s, self.velocity = list(parameters), s, {}

    @torch.no_grad()
    def step(self, rate):
        s = self.s
        for p in self.parameters:
            if p.grad is None:
                continue
            g, p_norm, g_norm = p.grad, torch.norm(p), torch.norm(p.grad)
            if p_norm != 0 and g_norm != 0:
                g = (g + s["weight_decay"] * p) * (s["trust"] * p_norm / (g_norm + s["weight_decay"] * p_norm + 1e-8))
            self.velocity[p] = self.velocity[p] * s["momentum"] + g if p in self.velocity else g.clone()
            p -= rate * self.velocity[p]


class Adamw:
    def __init__(self, parameters, s):
        self.inner = torch.optim.AdamW(parameters, betas=(s["beta1"], s["beta2"]), eps=s["adam_epsilon"], weight_decay=s["weight_decay"])

    def step(self, rate):
        for group in self.inner.param_groups:
            group["lr"] = rate
        self.inner.step()


def run(s, dtype):
    """Ten steps: losses, gradients of step 1, all tensors after the last one (as float64 arrays)."""
    network = Network(s)
    fill(network, s["random_norms"])
    network.to(dtype)
    optimizer = (Adamw if s["optimizer"] == 2 else Larc)(network.parameters(), s)
    length = s["queue_length"] - s["queue_length"] % s["batch"]
    queue = torch.zeros(len(s["assign"]), length, s["dim"], dtype=dtype)
    losses, gradients = [], {}
    for step in range(s["steps"]):
        with torch.no_grad():
            for head in network.heads():
                head.weight.copy_(F.normalize(head.weight, dim=1))
        z, scores = network([crops(s, step, g).to(dtype) for g in range(len(s["crop_sizes"]))])
        full = length > 0 and bool((queue[0, -1] != 0).any())
        loss = swapped_loss(s, z, scores, queue if full else None, network)
        losses.append(float(loss.detach()))
        network.zero_grad(set_to_none=True)
        loss.backward()
        network.projection_head[0].bias.grad.zero_()
        if step == 0:
            gradients = {n: p.grad.double().numpy().copy() for n, p in network.named_parameters()}
        if step < s["freeze_steps"]:
            for n, p in network.named_parameters():
                if "prototypes" in n:
                    p.grad = None
        optimizer.step(s["learning_rate"])
        if length > 0:
            batch = s["batch"]
            newest = torch.stack([z[batch * i:batch * (i + 1)].detach() for i in s["assign"]])
            queue = torch.cat([newest, queue[:, :length - batch]], 1)
    tensors = {n: t.double().numpy().copy() for n, t in network.state_dict().items()}
    return losses, gradients, tensors


# ---- Learning from labels -------------------------------------------------------------------------------------------------

def run_classifier(s, dtype):
    """Ten steps of SGD with momentum on backbone and a linear layer that starts at 0, a rate each: losses, all tensors at the end."""
    network = Network(s)
    fill(network, s["random_norms"])
    layer = nn.Linear(network.projection_head[0].in_features, s["classes"])
    for p in layer.parameters():
        nn.init.zeros_(p)
    network.to(dtype), layer.to(dtype)
    network.train(not s["frozen_norms"])
    backbone = [p for n, p in network.named_parameters() if not n.startswith(("projection_head", "prototypes"))]
    optimizer = torch.optim.SGD([{"params": backbone, "lr": s["backbone_rate"]}, {"params": layer.parameters(), "lr": s["classifier_rate"]}],
                                momentum=s["momentum"], weight_decay=s["weight_decay"])
    losses = []
    for step in range(s["steps"]):
        network.before_pool = []
        labels = torch.tensor([(3 * step + 7 * b) % s["classes"] for b in range(s["batch"])])
        loss = F.cross_entropy(layer(network.backbone(crops(s, step, 0).to(dtype))), labels, label_smoothing=s["label_smoothing"])
        losses.append(float(loss.detach()))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    tensors = {n: t.double().numpy().copy() for n, t in network.state_dict().items() if not n.startswith(("projection_head", "prototypes"))}
    tensors.update({"classifier." + n: t.double().numpy().copy() for n, t in layer.state_dict().items()})
    return losses, {}, tensors


# ---- A seed without near ties ---------------------------------------------------------------------------------------------

def decisions(s, dtype):
    """What step 1 decides by comparison: inputs of ReLUs, and in each max-pool window how far the second is behind the first."""
    network, seen, relu = Network(s), [], F.relu
    fill(network, s["random_norms"])
    network.to(dtype)
    try:
        F.relu = lambda x, **options: seen.append(x.detach().double()) or relu(x)
        network([crops(s, 0, g).to(dtype) for g in range(len(s["crop_sizes"]))])
    finally:
        F.relu = relu
    windows = [F.unfold(F.pad(x.flatten(0, 1)[:, None], (1, 1, 1, 1), value=-1.0), 3, stride=2) for x in network.before_pool]
    return seen, [w.double().topk(2, 1).values for w in windows]


def clear_of_ties(s):
    exact, rounded = decisions(s, torch.float64), decisions(s, torch.float32)
    margins = [(a.abs(), a - b) for a, b in zip(exact[0], rounded[0])]
    margins += [((a[:, 0] - a[:, 1])[a[:, 0] > 0], a - b) for a, b in zip(exact[1], rounded[1])]
    errors = 4 if s["direct"] else 4 * GROWTH
    return all(float(margin.min()) > errors * float(error.pow(2).mean().sqrt()) for margin, error in margins)


# ---- Files ----------------------------------------------------------------------------------------------------------------

def projections(name, values):
    flat = values.reshape(-1)
    return np.array([np.dot(stream(flat.size, PROJECTION, hashed(name), j), flat) for j in range(PROJECTIONS)])


def root_mean_square(values):
    return math.sqrt(sum(float(x)**2 for x in values) / len(values))


def rows(kind, exact, *rounded):
    """The error is the root mean square of those of the rounded runs."""
    for name in exact:
        # directions in [-1, 1) have variance 1/3
        error = root_mean_square([np.linalg.norm(one[name] - exact[name]) for one in rounded]) / math.sqrt(3)
        numbers = " ".join(f"{x:.11e}" for x in projections(name, exact[name]))
        yield f"{kind} {name} {np.linalg.norm(exact[name]):.6e} {error:.3e} {numbers}\n"


def write_case(name, s, run=run):
    global SEED
    SEED = 1
    while not clear_of_ties(s):
        SEED += 1
    s["seed"] = SEED
    exact, rounded = run(s, torch.float64), run(s, torch.float32)
    with open(os.path.join(FOLDER, name + ".txt"), "w") as file:
        for key, value in s.items():
            values = value if isinstance(value, list) else [value]
            file.write(f"setting {key} {' '.join(repr(float(v)) for v in values)}\n")
        for step, (a, b) in enumerate(zip(exact[0], rounded[0])):
            file.write(f"loss {step} {a:.12e} {abs(a - b):.3e}\n")
        file.writelines(rows("gradient", exact[1], rounded[1]))
        file.writelines(rows("tensor", exact[2], rounded[2]))
    print(name, "seed", SEED, [f"{x:.4f}" for x in exact[0]], "largest loss error of float32:", max(abs(a - b) for a, b in zip(exact[0], rounded[0])))


def write_codes():
    """Codes of given scores in float64: epsilon, relative or not, rows, prototypes, keep, then the kept rows."""
    with open(os.path.join(FOLDER, "codes.txt"), "w") as file:
        for i, (rows_, k, keep, epsilon, relative) in enumerate([(64, 12, 4, 0.05, 0), (37, 100, 2, 0.05, 0), (40, 9, 5, 0.5, 1)]):
            s = torch.from_numpy(stream(rows_ * k, SCORES, i).reshape(rows_, k) * 0.5)
            settings = {"relative": relative, "epsilon": float(np.float32(epsilon)), "epsilon_floor": float(np.float32(1e-3))}
            q = sinkhorn(s, epsilon_of(settings, s[-keep:]), 3)[-keep:]
            file.write(f"codes {i} {rows_} {k} {keep} {epsilon} {relative} " + " ".join(f"{x:.9e}" for x in q.reshape(-1).tolist()) + "\n")


def settings(**changes):
    s = dict(depth=18, base_width=8, stem=0, hidden=32, dim=16, prototypes=[40], crop_counts=[2, 6], crop_sizes=[40, 33], batch=8,
             assign=[0, 1], epsilon=0.05, relative=0, epsilon_floor=1e-3, iterations=3, temperature=0.1, queue_length=20, optimizer=0,
             momentum=0.9, trust=1e-3, beta1=0.9, beta2=0.999, adam_epsilon=1e-8, weight_decay=1e-6, learning_rate=2.0**-10, freeze_steps=3,
             random_norms=0, direct=1, steps=10)
    s.update(changes)
    # What the C interface takes as float, both runs take rounded to it.
    for key in ("label_smoothing", "epsilon", "epsilon_floor", "temperature", "momentum", "trust", "beta1", "beta2", "adam_epsilon", "weight_decay"):
        if key in s:
            s[key] = float(np.float32(s[key]))
    return s


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    torch.set_num_threads(1)
    write_codes()
    write_case("resnet18_larc", settings())
    write_case("resnet50_larc", settings(depth=50, base_width=4, random_norms=1, weight_decay=2.0**-5))
    write_case("small_stem_adamw", settings(stem=1, prototypes=[30, 50], crop_sizes=[16, 9], queue_length=0, epsilon=0.5, relative=1,
                                            optimizer=2, adam_epsilon=2.0**-8, weight_decay=0.01, learning_rate=2.0**-12, random_norms=1,
                                            freeze_steps=0))
    labels = dict(crop_counts=[1], crop_sizes=[33], classes=5, label_smoothing=0.1, backbone_rate=2.0**-7, classifier_rate=2.0**-3,
                  weight_decay=2.0**-7, random_norms=1, direct=0)
    write_case("classifier", settings(**labels, frozen_norms=0), run_classifier)
    write_case("classifier_frozen_norms", settings(**labels, frozen_norms=1), run_classifier)
    # Wide enough for the engine to take Winograd's convolutions, and small otherwise.
    write_case("wide_winograd", settings(base_width=32, stem=1, crop_counts=[2], crop_sizes=[8], random_norms=1, direct=0))
