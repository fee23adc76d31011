#!/usr/bin/env python3
"""What PyTorch writes is read here, and what is exported here is read by PyTorch, timm, ONNX Runtime and OpenVINO: the same numbers,
from the JPEG file on.

    make test-interop                                     # in an environment that it makes itself
    interop.py --trainer PATH [--prefix PREFIX] [--photos DIR] [--wide] [TEST ...]

Needs torch, torchvision, timm, safetensors, pillow and numpy; onnxruntime and openvino where they are installed.
"""
import argparse
import glob
import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

import card
from networks import MEAN, STD, Network, relative_error

# Sums of some thousand float32 terms, in another order, through fifty layers; and a view whose pixels differ by a rounding.
MOST = 1e-4
OPTIONS = None


def has(module):
    return importlib.util.find_spec(module) is not None


def trainer(*arguments):
    done = subprocess.run([OPTIONS.trainer, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"trainer {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def photos(folder):
    """A few photos as JPEG files: those of the data where they are, else pictures of the fixtures."""
    found = sorted(glob.glob(os.path.join(OPTIONS.photos, "**", "*.[jJ][pP]*[gG]"), recursive=True))
    if not found:
        for archive in sorted(glob.glob(os.path.join(OPTIONS.photos, "**", "*.tar"), recursive=True))[:1]:
            with tarfile.open(archive) as tar:
                names = [m for m in tar if m.isfile() and m.name.lower().endswith((".jpg", ".jpeg"))][:6]
                for index, member in enumerate(names):
                    found.append(os.path.join(folder, f"photo{index}.jpg"))
                    with open(found[-1], "wb") as file:
                        file.write(tar.extractfile(member).read())
    if not found:
        print("interop: no photos found; pictures of the fixtures stand in")
        here = os.path.dirname(os.path.abspath(__file__))
        found = sorted(glob.glob(os.path.join(here, "../Fixtures/image/formats/*_4??.jpg")))
    step = max(1, len(found) // 6)
    return found[::step][:6]


def view(path, size):
    """The evaluation view as torchvision makes it."""
    from torchvision import transforms
    steps = [transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size), transforms.ToTensor(),
             transforms.Normalize(MEAN, STD)]
    return transforms.Compose(steps)(Image.open(path).convert("RGB"))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.photos = photos(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def listed(self):
        with open(self.path("photos.txt"), "w") as file:
            file.write("\n".join(os.path.abspath(photo) for photo in self.photos) + "\n")
        return self.path("photos.txt")

    def embedded(self, weights, layer="features", size=224, *flags):
        """What `trainer embed` makes of the photos."""
        output = self.path("rows.npy")
        trainer("embed", self.listed(), "--weights", weights, "--layer", layer, "--size", size, "-o", output, *flags)
        return np.load(output)

    def images(self, size=224):
        return torch.stack([view(photo, size) for photo in self.photos])

    def assertClose(self, found, expected, most=MOST):
        error = relative_error(found, expected)
        self.assertLess(error, most, f"the relative error is {error:.3g}")


class PublishedFilesLoad(Case):
    """Random networks, saved by torch under the published keys, compute here what they compute there."""

    def check(self, network):
        network.save(self.path("weights.pth"))
        loads = trainer("inspect", self.path("weights.pth"))
        self.assertIn("0 of them not finite", loads)
        # With 32 pixels a side the last map is one pixel: its mean is the map itself.
        errors = {}
        for size in (32, 224):
            with torch.no_grad():
                expected = network(self.images(size))
            for layer, values in expected.items():
                with self.subTest(layer=layer, size=size):
                    rows = self.embedded(self.path("weights.pth"), layer, size)
                    errors[f"{layer} {size}"] = relative_error(rows, values)
                    self.assertClose(rows, values)
        features = self.embedded(self.path("weights.pth"), size=32)
        network.save(self.path("weights.pth"), stream=True)
        self.assertTrue(np.array_equal(features, self.embedded(self.path("weights.pth"), size=32)), "the stream loads as the zip does")
        count = sum(parameter.numel() for parameter in network.parameters())
        print(f"interop: {self.id().split('test_')[-1]}, {count / 1e6:.1f} M parameters, relative errors: " +
              ", ".join(f"{name} {error:.1e}" for name, error in errors.items()), flush=True)

    def test_resnet18(self):
        self.check(Network(18))

    def test_resnet34(self):
        self.check(Network(34))

    def test_resnet50(self):
        self.check(Network(50, hidden=2048, prototypes=3000))

    def wide(self, width, **settings):
        if not OPTIONS.wide:
            self.skipTest("--wide (INTEROP_WIDE=1) is needed: these take minutes and gigabytes")
        self.check(Network(50, base=64 * width, hidden=2048, prototypes=3000, **settings))

    def test_resnet50w2(self):
        self.wide(2)

    def test_resnet50w4(self):
        self.wide(4)

    def test_resnet50w5_whose_head_has_no_batch_norm(self):
        self.wide(5, plain=True)


class ExportedFilesLoad(Case):
    """What `trainer export` writes, read by others."""

    def exported(self, network, form, *flags):
        network.save(self.path("weights.pth"))
        folder = self.path(form)
        trainer("export", self.path("weights.pth"), "--format", form, "--output", folder, *flags)
        return folder

    def test_torchvision_loads_both_formats_strictly_and_sees_the_same_in_photos(self):
        import torchvision
        for depth in (18, 34, 50):
            network = Network(depth)
            features = None
            for form in ("safetensors", "torch"):
                with self.subTest(depth=depth, form=form):
                    folder = self.exported(network, form)
                    self.assertLess(card.run(folder), MOST)
                    weights = (load_file(f"{folder}/model.safetensors") if form == "safetensors" else
                               torch.load(f"{folder}/model.pth", weights_only=True))
                    theirs = getattr(torchvision.models, f"resnet{depth}")()
                    theirs.fc = torch.nn.Identity()
                    theirs.load_state_dict(weights, strict=True)
                    features = features if features is not None else self.embedded(self.path("weights.pth"))
                    with torch.no_grad():
                        self.assertClose(features, theirs.eval()(self.images()))

    def test_other_widths_the_small_stem_and_the_head_by_the_lines_of_the_card(self):
        for settings in ({"depth": 18, "base": 32}, {"depth": 50, "base": 16}, {"depth": 18, "base": 24, "stem": "small"},
                         {"depth": 18, "base": 80}):
            for form in ("safetensors", "torch"):
                with self.subTest(**settings, form=form):
                    network = Network(**settings)
                    self.assertLess(card.run(self.exported(network, form)), MOST)
                    self.assertLess(card.run(self.exported(network, form, "--head")), MOST)
                    # timm's names are filled up to its 64 channels, which the card's network has to have too.
                    if settings["base"] < 64 and settings["depth"] < 50 and "stem" not in settings:
                        self.assertLess(card.run(self.exported(network, form, "--keys", "timm")), MOST)

    def test_mmdet_and_detectron2_have_their_names(self):
        network = Network(50, base=16)
        self.assertLess(card.run(self.exported(network, "torch", "--keys", "mmdet")), MOST)
        found = torch.load(self.exported(network, "torch", "--keys", "detectron2") + "/model.pth", weights_only=True)["model"]
        ours = network.backbone.state_dict()
        # detectron2's own names of a ResNet-50: a batch-norm is a part of its convolution.
        self.assertEqual(len(found), sum("num_batches" not in key for key in ours))
        for theirs, name in (("stem.conv1.weight", "conv1.weight"), ("stem.conv1.norm.weight", "bn1.weight"),
                             ("res2.0.shortcut.norm.bias", "layer1.0.downsample.1.bias"),
                             ("res5.2.conv3.norm.running_var", "layer4.2.bn3.running_var")):
            self.assertTrue(torch.equal(found[theirs], ours[name]))

    def test_timm_opens_the_folder_and_sees_the_same_in_photos_by_its_own_transforms(self):
        import timm
        for settings in ({"depth": 18}, {"depth": 34}, {"depth": 50}, {"depth": 18, "base": 32}, {"depth": 50, "base": 24}):
            with self.subTest(**settings):
                network = Network(**settings)
                folder = self.exported(network, "timm")
                self.assertLess(card.run(folder), MOST)
                theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
                with open(f"{folder}/config.json") as file:
                    self.assertEqual(theirs.num_features, json.load(file)["num_features"])
                look = timm.data.create_transform(**timm.data.resolve_data_config({}, model=theirs))
                images = torch.stack([look(Image.open(photo).convert("RGB")) for photo in self.photos])
                with torch.no_grad():
                    self.assertClose(self.embedded(self.path("weights.pth")), theirs(images))

    def test_what_timm_has_not_is_refused(self):
        for settings, part in (({"depth": 18, "stem": "small"}, "3x3"), ({"depth": 18, "base": 128}, "64 channels"),
                               ({"depth": 50, "base": 16}, "no projection")):
            with self.assertRaisesRegex(AssertionError, part):
                self.exported(Network(**settings), "timm")

    NETWORKS = ({"depth": 18}, {"depth": 50, "prototypes": 3000}, {"depth": 18, "base": 32, "stem": "small"},
                {"depth": 34, "base": 16, "plain": True}, {"depth": 18, "base": 16, "hidden": 0})

    def check_graph(self, run):
        """`run` opens a model and gives a function from images to its outputs by name."""
        for settings in self.NETWORKS:
            network = Network(**settings)
            for flags in ([], ["--fold"], ["--head"], ["--head", "--fold"]):
                with self.subTest(**settings, flags=flags):
                    model = run(self.exported(network, "onnx", *flags) + "/model.onnx")
                    for shape in ((1, 3, 64, 64), (3, 3, 96, 80)):
                        images = torch.randn(shape, generator=torch.Generator().manual_seed(3))
                        with torch.no_grad():
                            expected = network(images)
                        found = model(images.numpy())
                        self.assertEqual(set(found), set(expected if "--head" in flags else ["features"]))
                        for name, values in found.items():
                            self.assertClose(values, expected[name])
            self.assertClose(self.embedded(self.path("weights.pth")), model(self.images().numpy())["features"])

    @unittest.skipUnless(has("onnxruntime"), "onnxruntime is not installed")
    def test_onnx_runtime(self):
        import onnxruntime

        def run(path):
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            names = [output.name for output in session.get_outputs()]
            return lambda images: dict(zip(names, session.run(names, {"images": images})))

        self.check_graph(run)
        self.assertLess(card.run(self.exported(Network(18), "onnx")), MOST)

    @unittest.skipUnless(has("openvino"), "openvino is not installed")
    def test_openvino(self):
        import openvino

        def run(path):
            model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            return lambda images: {output.any_name: values for output, values in model({"images": images}).items()}

        self.check_graph(run)

    @unittest.skipUnless(has("onnx"), "onnx is not installed")
    def test_the_checker_of_onnx_finds_nothing(self):
        import onnx
        for settings in self.NETWORKS:
            for flags in (["--head"], ["--precision", "int8", "--calibrate", self.listed(), "--size", "64", "--head"]):
                with self.subTest(**settings, flags=flags):
                    model = onnx.load(self.exported(Network(**settings), "onnx", *flags) + "/model.onnx")
                    onnx.checker.check_model(model, full_check=True)
                    self.assertEqual([(o.domain, o.version) for o in model.opset_import], [("", 13)])

    @unittest.skipUnless(has("onnxruntime"), "onnxruntime is not installed")
    def test_integers_round_and_turn_features_little(self):
        import onnxruntime
        for settings in ({"depth": 18}, {"depth": 50}):
            with self.subTest(**settings):
                network = Network(**settings)
                folder = self.exported(network, "onnx", "--precision", "int8", "--calibrate", self.listed())
                # Rounded to 8 bits throughout; the engine's own integers are as far from its floats.
                self.assertLess(card.run(folder), 0.2)
                session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
                found = torch.tensor(session.run(["features"], {"images": self.images().numpy()})[0])
                expected = torch.tensor(self.embedded(self.path("weights.pth")))
                self.assertGreater(float(torch.cosine_similarity(found, expected).min()), 0.99)
                size = os.path.getsize(f"{folder}/model.onnx")
                self.assertLess(size, sum(p.numel() for p in network.backbone.parameters()) * 1.1)


class Documentation(Case):
    """docs/interoperability.md, from the top to the bottom, in a folder with photos and a checkpoint."""

    ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    PROGRAMS = {"c": "c/embed.c", "swift": "Sources/embed/main.swift", "rust": "rust/src/main.rs"}

    def test_every_command_and_program_of_the_page_works(self):
        with open(os.path.join(self.ROOT, "docs", "interoperability.md")) as file:
            blocks = re.findall(r"```(\w+)\n(.*?)```", file.read(), re.S)
        self.assertGreater(len(blocks), 11)
        Network(18).save(self.path("checkpoint.pth"))
        os.mkdir(self.path("photos"))
        for index in range(16):
            Image.open(self.photos[index % len(self.photos)]).convert("RGB").save(self.path(f"photos/{index}.jpg"))
        environment = dict(os.environ, PATH=f"{os.path.dirname(OPTIONS.trainer)}:{os.environ['PATH']}",
                           PYTHONPATH=os.path.join(OPTIONS.prefix or "", "share", "swav", "python"))
        for number, (language, code) in enumerate(blocks):
            with self.subTest(block=number, code=code):
                if language in self.PROGRAMS:
                    with open(os.path.join(self.ROOT, "Tests", "Consumer", self.PROGRAMS[language])) as file:
                        program = file.read().splitlines()
                    for line in code.splitlines():
                        self.assertIn(line, program)
                    continue
                missing = [name for name in ("timm", "onnxruntime", "openvino") if f"import {name}" in code and not has(name)]
                if missing or ("import swav" in code and not OPTIONS.prefix):
                    print(f"interop: block {number} of the page is left out: {missing or 'no --prefix'}")
                    continue
                command = ["bash", "-euo", "pipefail", "-c", code] if language == "sh" else [sys.executable, "-c", code]
                done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--prefix", help="of an installation, for the module for Python")
    parser.add_argument("--photos", default="../shared/data", help="a folder with JPEG files or archives of them")
    parser.add_argument("--wide", action="store_true", help="with the networks of width 2, 4 and 5")
    parser.add_argument("tests", nargs="*")
    OPTIONS = parser.parse_args()
    OPTIONS.trainer = os.path.abspath(OPTIONS.trainer)
    OPTIONS.prefix = OPTIONS.prefix and os.path.abspath(OPTIONS.prefix)
    torch.set_num_threads(os.cpu_count() or 1)
    unittest.main(argv=["interop.py", "-v", *OPTIONS.tests])


if __name__ == "__main__":
    main()
