#!/usr/bin/env python3
"""The same work in PyTorch, as most people would write it, for compare.py: one JSON object a call.

    torch_peer.py step --arch resnet50 --crops 2x224+6x96 --batch 8 --prototypes 3000 [--channels-last] [--compile]
    torch_peer.py embed --arch resnet50 --size 224 --batch 8 [--channels-last] [--freeze]
    torch_peer.py sinkhorn --batch 4096 --prototypes 3000
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def median_seconds(steps, body):
    """Of `steps` calls after one that warms up."""
    body()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_gib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def convolution(inputs, outputs, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Residual block of ResNet v1.5: two 3x3 convolutions, or 1x1, 3x3, 1x1 with four times the channels at the end."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            self.main = nn.Sequential(convolution(inputs, width, 1), nn.ReLU(True), convolution(width, width, 3, stride),
                                      nn.ReLU(True), convolution(width, outputs, 1))
        else:
            self.main = nn.Sequential(convolution(inputs, width, 3, stride), nn.ReLU(True), convolution(width, width, 3))
        self.side = nn.Identity() if stride == 1 and inputs == outputs else convolution(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.main(x) + self.side(x), inplace=True)


def backbone(arch):
    """A ResNet without its classifier, and the length of its features."""
    counts = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}[arch]
    bottleneck = arch == "resnet50"
    layers = [convolution(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, count in enumerate(counts):
        width = 64 << stage
        for block in range(count):
            layers.append(Block(channels, width, 2 if stage > 0 and block == 0 else 1, bottleneck))
            channels = 4 * width if bottleneck else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels


class Network(nn.Module):
    """Backbone by resolution, projection head over all crops, unit norm, prototypes without bias."""

    def __init__(self, arch, prototypes, dim=128):
        super().__init__()
        self.backbone, width = backbone(arch)
        hidden = 2048 if width >= 2048 else 512
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(True), nn.Linear(hidden, dim))
        self.prototypes = nn.Linear(dim, prototypes, bias=False)

    def forward(self, groups):
        features = torch.cat([self.backbone(images) for images in groups])
        return self.prototypes(F.normalize(self.head(features)))


@torch.no_grad()
def codes_of(scores, epsilon=0.05, iterations=3):
    """Sinkhorn-Knopp: rows are prototypes, columns images; both come to sum to equal shares."""
    q = torch.exp(scores / epsilon).t()
    prototypes, images = q.shape
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(1, keepdim=True) * prototypes
        q /= q.sum(0, keepdim=True) * images
    return (q * images).t()


def swapped_loss(scores, crops, batch, temperature=0.1):
    log_p = F.log_softmax(scores / temperature, dim=1).view(crops, batch, -1)
    loss = 0
    for assigned in (0, 1):
        codes = codes_of(scores[assigned * batch:(assigned + 1) * batch])
        others = [v for v in range(crops) if v != assigned]
        loss = loss - sum((codes * log_p[v]).sum(1).mean() for v in others) / len(others)
    return loss / 2


def step(args):
    groups = [tuple(int(n) for n in part.split("x")) for part in args.crops.split("+")]
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    network = Network(args.arch, args.prototypes).to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-6)
    images = [torch.randn(count * args.batch, 3, size, size).to(memory_format=layout) for count, size in groups]
    forward = torch.compile(network) if args.compile else network
    crops = sum(count for count, _ in groups)

    def once():
        with torch.no_grad():
            network.prototypes.weight.copy_(F.normalize(network.prototypes.weight))
        loss = swapped_loss(forward(images), crops, args.batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    seconds = median_seconds(args.steps, once)
    return {"seconds": seconds, "images_per_second": args.batch / seconds}


@torch.inference_mode()
def embed(args):
    network = backbone(args.arch)[0].eval()
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    images = torch.randn(args.batch, 3, args.size, args.size).to(memory_format=layout)
    if args.freeze:
        network = torch.jit.optimize_for_inference(torch.jit.trace(network, images))
    seconds = median_seconds(args.steps, lambda: network(images))
    return {"seconds": seconds, "images_per_second": args.batch / seconds}


def sinkhorn(args):
    scores = torch.randn(args.batch, args.prototypes) * 0.09
    codes = codes_of(scores)
    leaf = scores.clone().requires_grad_()

    def loss_and_gradient():
        leaf.grad = None
        (-(codes * F.log_softmax(leaf / 0.1, dim=1)).sum(1).mean()).backward()

    return {"codes_ms": 1e3 * median_seconds(args.steps, lambda: codes_of(scores)),
            "loss_and_gradient_ms": 1e3 * median_seconds(args.steps, loss_and_gradient)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["step", "embed", "sinkhorn"])
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--crops", default="2x224+6x96")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--prototypes", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--freeze", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    result = {"step": step, "embed": embed, "sinkhorn": sinkhorn}[args.work](args)
    print(json.dumps(result | {"peak_rss_gib": peak_gib(), "torch": torch.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    sys.exit(main())
