#!/usr/bin/env python3
"""Files of weights as others write them, for Tests/Engine/torch_test.cpp: both layouts of torch.save, the keys of the published SwAV
files, torchvision, timm, lightly, VISSL, MoCo, DeepCluster-v2, tensors that are views of all kinds, and files that must be refused.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python Tests/Fixtures/make_torch_fixtures.py        # rewrites Tests/Fixtures/torch

expected.txt has a line a file that loads: what it is, how its tensors are counted, and the network's features, embeddings and scores for
one image, computed here in float64. All weights lie on a grid of 1/64, so that a float16 or bfloat16 holds them exactly.
"""
import argparse
import collections
import io
import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")
SIDE = 32


# ---- Networks, with the names and the order of members that the programs have ---------------------------------------------------

class Block(nn.Module):
    """A basic or bottleneck block, v1.5; `projection` names the shortcut's projection."""

    def __init__(self, inputs, width, stride, bottleneck, projection):
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        kernels = ((1, 1), (3, stride), (1, 1)) if bottleneck else ((3, stride), (3, 1))
        channels = [inputs] + [width] * (len(kernels) - 1) + [outputs]
        self.length, self.projection = len(kernels), projection
        for i, (kernel, step) in enumerate(kernels):
            setattr(self, f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        setattr(self, projection, shortcut)

    def forward(self, x):
        y = x
        for i in range(1, self.length + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.length:
                y = F.relu(y)
        return F.relu(y + getattr(self, self.projection)(x))


def stages(depth, base, projection):
    layers, inputs, bottleneck = [], base, depth == 50
    for stage, blocks in enumerate({18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[depth]):
        rows = []
        for i in range(blocks):
            rows.append(Block(inputs, base << stage, 2 if stage > 0 and i == 0 else 1, bottleneck, projection))
            inputs = (base << stage) * (4 if bottleneck else 1)
        layers.append(nn.Sequential(*rows))
    return layers, inputs


class ResNet(nn.Module):
    """Members in torchvision's order, ending with a classifier of 10 where `classes` is set."""

    def __init__(self, depth=18, base=1, channels=3, classes=0):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        (self.layer1, self.layer2, self.layer3, self.layer4), self.dim = stages(depth, base, "downsample")
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        if classes:
            self.fc = nn.Linear(self.dim, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.avgpool(self.layer4(self.layer3(self.layer2(self.layer1(x))))).flatten(1)


class SmallResNet(nn.Module):
    """Members as in lightly's ResNets for small images."""

    def __init__(self, base=2, depth=18):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        (self.layer1, self.layer2, self.layer3, self.layer4), self.dim = stages(depth, base, "shortcut")

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def head_of(inputs, hidden, dim, norm=True, bias=True):
    if hidden == 0:
        return nn.Linear(inputs, dim)
    layers = [nn.Linear(inputs, hidden, bias=bias)] + ([nn.BatchNorm1d(hidden)] if norm else []) + [nn.ReLU(), nn.Linear(hidden, dim)]
    return nn.Sequential(*layers)


def randomized(module, seed):
    """All tensors on a grid of 1/64; scales and variances away from 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(seed)
            continue
        values = torch.randint(-48, 49, tensor.shape, generator=generator).float() / 64
        if name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            values = values.abs() + 0.5
        tensor.copy_(values)
    return module


def image():
    index = np.arange(SIDE * SIDE * 3)
    return torch.tensor((index * 7919 % 251) / 251 - 0.5, dtype=torch.float32).reshape(1, SIDE, SIDE, 3).permute(0, 3, 1, 2)


def outputs(backbone, head=None, prototypes=None):
    """features, embeddings, scores of the image in float64; empty where there is no such layer."""
    with torch.no_grad():
        features = backbone.double().eval()(image().double())
        embeddings = F.normalize(head.double().eval()(features)) if head is not None else torch.zeros(1, 0).double()
        scores = torch.zeros(1, 0).double()
        if prototypes is not None:
            scores = embeddings @ F.normalize(prototypes.double()).T
    for module in (backbone, head):
        if module is not None:
            module.float()
    return [x[0].tolist() for x in (features, embeddings, scores)]


# ---- Files ------------------------------------------------------------------------------------------------------------------------

ROWS = []


def path_of(name):
    return os.path.join(FOLDER, name)


def save(name, value, legacy=False):
    torch.save(value, path_of(name), _use_new_zipfile_serialization=not legacy)


def expect(name, config, results, matched, converted=0, unexpected=0, prefix="-", names="torchvision"):
    """config: architecture, stem, hidden, plain, dim, prototypes joined by +."""
    numbers = [" ".join(f"{x:.12g}" for x in result) for result in results]
    ROWS.append(f"{name} | {prefix} | {names} | {config} | {matched} {converted} {unexpected} | " + " | ".join(numbers))


def prefixed(state, prefix):
    return collections.OrderedDict((prefix + key, value) for key, value in state.items())


def published(depth=50, hidden=6, dim=4, sets=(5,), norm=True, seed=1):
    """The published implementation's members: backbone, projection_head, prototypes in one module."""
    backbone = randomized(ResNet(depth), seed)
    head = randomized(head_of(backbone.dim, hidden, dim, norm), seed + 1)
    prototypes = [randomized(nn.Linear(dim, count, bias=False), seed + 2 + i) for i, count in enumerate(sets)]
    state = collections.OrderedDict(backbone.state_dict())
    state.update(prefixed(head.state_dict(), "projection_head."))
    for i, set_ in enumerate(prototypes):
        state["prototypes.weight" if len(sets) == 1 else f"prototypes.prototypes{i}.weight"] = set_.weight.detach()
    return state, outputs(backbone, head, prototypes[0].weight.detach())


def published_files():
    state, results = published()
    config = "resnet50b1 imagenet 6 0 4 5"
    for legacy, name in ((False, "published_flat_zip.pth"), (True, "published_flat_stream.pth.tar")):
        save(name, prefixed(state, "module."), legacy)
        expect(name, config, results, len(state))
    # What the training program writes: weights below "state_dict", the optimiser's momentum, the loss scaler.
    weights = {key: nn.Parameter(value.clone()) for key, value in state.items() if value.is_floating_point() and "running" not in key}
    optimizer = torch.optim.SGD(weights.values(), lr=0.1, momentum=0.9)
    for value in weights.values():
        value.grad = torch.ones_like(value)
    optimizer.step()
    saved = {"epoch": 5, "state_dict": prefixed(state, "module."), "optimizer": optimizer.state_dict(),
             "amp": {"loss_scaler0": {"loss_scale": 65536.0, "unskipped": 3}}}
    for legacy, name in ((False, "trainer_zip.pth"), (True, "trainer_stream.pth")):
        save(name, saved, legacy)
        expect(name, config, results, len(state), prefix="state_dict.")
    # The w5 of the published ones has no batch-norm in its head.
    state, results = published(norm=False, seed=7)
    save("plain_head_stream.pth", prefixed(state, "module."), True)
    expect("plain_head_stream.pth", "resnet50b1 imagenet 6 1 4 5", results, len(state))
    # Several sets of prototypes, as DeepCluster-v2 has.
    state, results = published(depth=18, hidden=5, dim=3, sets=(4, 4, 6), seed=11)
    save("deepcluster_zip.pth", {"epoch": 1, "state_dict": prefixed(state, "module.")})
    expect("deepcluster_zip.pth", "resnet18b1 imagenet 5 0 3 4+4+6", results, len(state), prefix="state_dict.")


def classifier_files():
    backbone = randomized(ResNet(18, classes=10), 21)
    state, results = backbone.state_dict(), outputs(backbone)
    config = "resnet18b1 imagenet 0 0 0 -"
    save("torchvision_stream.pth", state, True)
    expect("torchvision_stream.pth", config, results, len(state) - 2, unexpected=2)
    save_file(state, path_of("timm.safetensors"), {"format": "pt"})
    expect("timm.safetensors", config, results, len(state) - 2, unexpected=2)
    # In parts, as larger ones are published.
    names, index = sorted(state), {}
    for i, part in enumerate((names[:50], names[50:])):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        save_file({name: state[name] for name in part}, path_of(file), {"format": "pt"})
        index.update({name: file for name in part})
    with open(path_of("model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": 1}, "weight_map": index}, file, indent=1, sort_keys=True)
    expect("model.safetensors.index.json", config, results, len(state) - 2, unexpected=2)


def lightly_files():
    """Checkpoints of Lightning: the module's parts below "state_dict", settings and the optimiser's state beside it."""
    backbone = randomized(ResNet(18), 31)
    head = randomized(head_of(backbone.dim, 6, 4, bias=False), 32)
    prototypes = randomized(nn.Linear(4, 5, bias=False), 33)
    state = prefixed(nn.Sequential(*backbone.children()).state_dict(), "backbone.")
    state.update(prefixed(head.state_dict(), "projection_head.layers."))
    state["prototypes.heads.0.weight"] = prototypes.weight.detach()
    saved = {"epoch": 1, "global_step": 20, "pytorch-lightning_version": "2.6.1", "state_dict": state, "loops": {"fit_loop": {"state_dict": {}}},
             "callbacks": {}, "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
             "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"learning_rate": 0.5, "sizes": (3, 4), "name": None}}
    save("lightly_zip.ckpt", saved)
    # The bias before the batch-norm is not there and counts as zero.
    expect("lightly_zip.ckpt", "resnet18b1 imagenet 6 0 4 5", outputs(backbone, head, prototypes.weight.detach()), len(state) + 1, converted=1,
           prefix="state_dict.backbone.", names="nn.Sequential, head of lightly")
    small = randomized(SmallResNet(), 34)
    save("lightly_small_stream.pth", prefixed(nn.Sequential(*small.children()).state_dict(), "backbone."), True)
    expect("lightly_small_stream.pth", "resnet18b2 small 0 0 0 -", outputs(small), len(small.state_dict()), prefix="backbone.",
           names="nn.Sequential of lightly")
    save("lightly_named_zip.pth", small.state_dict())
    expect("lightly_named_zip.pth", "resnet18b2 small 0 0 0 -", outputs(small), len(small.state_dict()), names="lightly")


def vissl_file():
    state, results = published(depth=18, hidden=5, dim=3, sets=(4,), seed=41)
    trunk = {f"_feature_blocks.{key}": value for key, value in state.items() if not key.startswith("pro")}
    heads = {f"0.{key}": value for key, value in state.items() if key.startswith("projection_head")}
    heads["0.prototypes0.weight"] = state["prototypes.weight"]
    saved = {"phase_idx": 3, "iteration": 100, "loss": {"info": {}}, "classy_state_dict": {
        "train": True, "base_model": {"model": {"trunk": trunk, "heads": heads}, "meters": {}}, "optimizer": {"optim": {"state": {}}}}}
    save("vissl_stream.torch", saved, True)
    expect("vissl_stream.torch", "resnet18b1 imagenet 5 0 3 4", results, len(state),
           prefix="classy_state_dict.base_model.model.trunk._feature_blocks.", names="torchvision, head of VISSL")


def two_encoder_files():
    query, key = randomized(ResNet(18), 51), randomized(ResNet(18), 52)
    query_head, key_head = (randomized(head_of(query.dim, 6, 4, norm=False), seed) for seed in (53, 54))
    state = collections.OrderedDict()
    for name, backbone, head in (("encoder_q", query, query_head), ("encoder_k", key, key_head)):
        state.update(prefixed(backbone.state_dict(), f"module.{name}."))
        state.update(prefixed(head.state_dict(), f"module.{name}.fc."))
    state["module.queue"], state["module.queue_ptr"] = torch.zeros(4, 8), torch.zeros(1, dtype=torch.long)
    save("moco_zip.pth.tar", {"epoch": 3, "arch": "resnet18", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}})
    half = (len(state) - 2) // 2
    for name, backbone, head in (("encoder_q", query, query_head), ("encoder_k", key, key_head)):
        expect("moco_zip.pth.tar", "resnet18b1 imagenet 6 1 4 -", outputs(backbone, head), half, unexpected=half + 2,
               prefix=f"state_dict.{name}.", names="torchvision, head of MoCo")
    # Student and teacher side by side, with the command line that trained them.
    student, teacher = randomized(ResNet(18), 55), randomized(ResNet(18), 56)
    save("student_teacher_zip.pth", {"student": prefixed(student.state_dict(), "module.backbone."),
                                     "teacher": prefixed(teacher.state_dict(), "backbone."), "epoch": 9,
                                     "args": argparse.Namespace(arch="resnet18", lr=0.1, local_crops_scale=(0.05, 0.4))})
    for name, backbone in (("student", student), ("teacher", teacher)):
        expect("student_teacher_zip.pth", "resnet18b1 imagenet 0 0 0 -", outputs(backbone), len(backbone.state_dict()),
               unexpected=len(backbone.state_dict()), prefix=f"{name}.backbone.")


def stored_otherwise(state):
    """The same values, each tensor stored in another way; and how many of them count as converted."""
    pool = torch.zeros(4096)
    used, converted, result = 0, 0, collections.OrderedDict()
    types = [torch.float16, torch.bfloat16, torch.float64, torch.float32]
    for i, (name, value) in enumerate(state.items()):
        if name.endswith("num_batches_tracked"):
            kinds = [value, value.reshape(1), value.int(), value.float(), value.to(torch.uint16), value.half().reshape(1)]
            result[name] = kinds[i % len(kinds)]
            converted += i % len(kinds) != 0
        elif value.dim() == 4 and i % 2:
            result[name] = value.contiguous(memory_format=torch.channels_last)
        elif value.dim() == 4:
            result[name] = value.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0).to(types[i % 3])
            converted += 1
        elif value.dim() == 2:
            result[name] = nn.Parameter(value.T.contiguous().T)
        elif i % 3 == 0:
            # Every second number of a storage that several share.
            count = value.numel()
            pool[used:used + 2 * count:2] = value
            result[name] = pool[used:used + 2 * count:2]
            used += 2 * count
        elif name.endswith("running_mean"):
            # Small whole numbers as integers, whole ones only.
            result[name] = value.to(types[i % 4])
            converted += types[i % 4] is not torch.float32
        elif value.numel() == 1 and i % 3 == 1:
            result[name] = value.reshape(()).expand(1)
        else:
            result[name] = value.to(types[i % 4])
            converted += types[i % 4] is not torch.float32
    return result, converted


def layout_files():
    state, _ = published(depth=18, hidden=6, dim=4, sets=(5,), seed=61)
    for name in list(state):
        if name.startswith("layer4") and name.endswith("running_mean"):
            state[name] = torch.round(state[name] * 4)
    backbone, head = ResNet(18), head_of(8, 6, 4)
    backbone.load_state_dict({key: value for key, value in state.items() if not key.startswith("pro")})
    head.load_state_dict({key[16:]: value for key, value in state.items() if key.startswith("projection_head.")})
    results = outputs(backbone, head, state["prototypes.weight"].clone())
    otherwise, converted = stored_otherwise(state)
    for name in otherwise:
        if name.startswith("layer4") and name.endswith("running_mean"):
            converted += otherwise[name].dtype is torch.float32
            otherwise[name] = state[name].to([torch.int8, torch.int32, torch.int64, torch.int16][len(name) % 4])
    for legacy, name in ((False, "layouts_zip.pth"), (True, "layouts_stream.pth")):
        kept = {"model": otherwise}
        if legacy:  # the older layout has no type for unsigned integers of 16 bits
            kept = {"model": {key: value.int() if value.dtype is torch.uint16 else value for key, value in otherwise.items()}}
        save(name, kept, legacy)
        expect(name, "resnet18b1 imagenet 6 0 4 5", results, len(state), converted=converted, prefix="model.")


class Attack:
    def __reduce__(self):
        return os.system, ("touch swav-was-executed",)


def refused_files():
    state = ResNet(18).state_dict()
    for legacy, name in ((False, "attack_zip.pth"), (True, "attack_stream.pth")):
        save(name, {"state_dict": state, "extra": Attack()}, legacy)
    torch.save(nn.Sequential(nn.Conv2d(1, 1, 1)), path_of("module_zip.pth"))
    save("no_tensor_zip.pth", {"epoch": 3})
    with open(path_of("plain_pickle.pkl"), "wb") as file:
        pickle.dump({"weights": [1.0, 2.0]}, file, protocol=2)
    with open(path_of("numpy.npz"), "wb") as file:
        np.savez(file, a=np.zeros(2))
    torch.jit.script(nn.Conv2d(1, 1, 1)).save(path_of("torchscript.pt"))
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(2)}, buffer)
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as stored, zipfile.ZipFile(path_of("compressed_zip.pth"), "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in stored.namelist():
            packed.writestr(zipfile.ZipInfo(entry), stored.read(entry), zipfile.ZIP_DEFLATED)
    wide = ResNet(50).state_dict()
    wide["layer1.0.conv1.weight"] = torch.zeros(2, 1, 1, 1)
    save_file({key: value.contiguous() for key, value in wide.items()}, path_of("wide.safetensors"))
    deep = {key: value for key, value in ResNet(50).state_dict().items()}
    for i in range(6, 23):
        deep[f"layer3.{i}.conv1.weight"] = torch.zeros(1)
    save_file(deep, path_of("deep.safetensors"))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    torch.manual_seed(0)
    published_files()
    classifier_files()
    lightly_files()
    vissl_file()
    two_encoder_files()
    layout_files()
    refused_files()
    with open(path_of("expected.txt"), "w") as file:
        file.write("# file | prefix | names | architecture stem hidden plain dim prototypes | matched converted unexpected | features | embeddings | scores\n")
        file.write("\n".join(ROWS) + "\n")


if __name__ == "__main__":
    main()
