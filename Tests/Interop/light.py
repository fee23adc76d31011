#!/usr/bin/env python3
"""The part of the comparison with others that takes seconds: without PyTorch, on committed files that it wrote.

    make test-interop-light                               # in an environment that it makes itself
    light.py --trainer PATH

Weights that torch saved are exported as ONNX and safetensors; the lines of Python in each card then run ONNX Runtime on the graph,
and those of safetensors have finite values. Needs numpy, safetensors and onnxruntime. interop.py has the rest.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

import card

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures", "torch")
# Both layouts of PyTorch's files, heads with and without batch-norm, a stem of 3x3, bottleneck and basic blocks.
FILES = ["published_flat_zip.pth", "published_flat_stream.pth.tar", "plain_head_stream.pth", "lightly_small_stream.pth",
         "trainer_stream.pth", "torchvision_stream.pth"]
# Sums of some thousand float32 terms in another order, as in interop.py.
MOST = 1e-4


def check(trainer, name, folder):
    """What is wrong with the exports of one file."""
    def export(form, *flags):
        output = os.path.join(folder, form + "".join(flags))
        done = subprocess.run([trainer, "export", os.path.join(FIXTURES, name), "--format", form, "--output", output, *flags],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return output

    wrong, features = [], []
    for flags in ([], ["--fold"]):
        output = export("onnx", *flags)
        error = card.run(output)
        if not error < MOST:
            wrong.append(f"{name} {' '.join(flags)}: the relative error in ONNX Runtime is {error:.3g}")
        # Another number of images of another size than the fixture's, which the graph leaves free.
        session = onnxruntime.InferenceSession(f"{output}/model.onnx")
        channels = load_file(f"{output}/fixture.safetensors")["input"].shape[1]
        images = np.random.default_rng(1).standard_normal((3, channels, 64, 96)).astype(np.float32)
        features.append(session.run(["features"], {"images": images})[0])
    if np.linalg.norm(features[0] - features[1]) > MOST * np.linalg.norm(features[0]):
        wrong.append(f"{name}: folding batch-norm changes the features")
    tensors = load_file(export("safetensors") + "/model.safetensors")
    if "conv1.weight" not in tensors or not all(np.isfinite(values).all() for values in tensors.values()):
        wrong.append(f"{name}: the tensors are not those of torchvision's names")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    trainer = os.path.abspath(parser.parse_args().trainer)
    with tempfile.TemporaryDirectory() as folder:
        wrong = []
        for name in FILES:
            os.mkdir(os.path.join(folder, name))
            wrong += check(trainer, name, os.path.join(folder, name))
    for line in wrong:
        print("test-interop-light: " + line, file=sys.stderr)
    print(f"test-interop-light: {len(FILES)} files, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
