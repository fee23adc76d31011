#!/usr/bin/env python3
"""The Python module over the installed library.

    test_swav.py PREFIX WEIGHTS IMAGE     PREFIX: of an installation; WEIGHTS: of a network with a head
"""
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

PREFIX, WEIGHTS, IMAGE = sys.argv[1:4]
sys.path.insert(0, os.path.join(PREFIX, "share", "swav", "python"))
import swav  # noqa: E402
import swav_library  # noqa: E402


class Layouts(unittest.TestCase):
    def test_structures_lie_in_memory_as_the_header_says(self):
        lines = ["#include <stddef.h>", "#include <stdio.h>", "#include <swav.h>", "int main(void) {"]
        for name, structure in swav_library.STRUCTURES.items():
            lines.append(f'  printf("{name} %zu\\n", sizeof({name}));')
            for field, _ in structure._fields_:
                lines.append(f'  printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
        lines.append("}")
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/layout.c", "w") as file:
                file.write("\n".join(lines) + "\n")
            subprocess.run(["cc", "-I", f"{PREFIX}/include", f"{folder}/layout.c", "-o", f"{folder}/layout"], check=True)
            found = subprocess.run([f"{folder}/layout"], check=True, capture_output=True, text=True).stdout.splitlines()
        expected = []
        for name, structure in swav_library.STRUCTURES.items():
            expected.append(f"{name} {ctypes.sizeof(structure)}")
            for field, _ in structure._fields_:
                place = getattr(structure, field)
                expected.append(f"{name}.{field} {place.offset} {place.size}")
        self.assertEqual(found, expected)

    def test_choices_are_those_of_the_header(self):
        with open(f"{PREFIX}/include/swav.h") as file:
            header = file.read()
        for prefix, choices in (("SWAV_OUTPUT", swav_library.OUTPUTS), ("SWAV_TENSORS", swav_library.FORMATS), ("SWAV_KEYS", swav_library.KEYS),
                                ("SWAV_OPTIMIZER", swav_library.OPTIMIZERS), ("SWAV_STEM", swav_library.STEMS)):
            found = dict(re.findall(rf"\b{prefix}_(\w+) = (\d+)", header))
            self.assertEqual({name.lower(): int(value) for name, value in found.items()}, choices)
        self.assertIn(f"#define SWAV_VERSION {swav_library.VERSION} ", header)


class Networks(unittest.TestCase):
    def setUp(self):
        self.network = swav.Network.open(WEIGHTS)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_paths_bytes_and_arrays(self):
        with open(IMAGE, "rb") as file:
            data = file.read()
        by_path = self.network.embed([IMAGE, IMAGE], output="embeddings")
        self.assertEqual(by_path.dtype, np.float32)
        self.assertTrue(np.array_equal(by_path[0], by_path[1]))
        self.assertTrue(np.array_equal(by_path, self.network.embed([data, data], output="embeddings")))
        self.assertAlmostEqual(float((by_path[0] ** 2).sum()), 1, places=5)
        self.assertEqual(self.network.embed([IMAGE]).shape, (1, self.network.feature_dim))

    def test_samples_are_normalised_as_the_network_says(self):
        samples = np.random.default_rng(1).integers(0, 256, (3, 32, 40, 3), np.uint8)
        form = self.network.input
        pixels = ((samples / 255 - form["mean"]) / form["std"]).astype(np.float32)
        # Pixels that differ by a rounding; small features are differences of large numbers, so the bound is of the largest.
        wanted = self.network.embed(pixels)
        np.testing.assert_allclose(self.network.embed(samples), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())

    def test_what_is_wrong_is_an_exception_with_the_engine_s_words(self):
        with self.assertRaisesRegex(swav.Error, "nowhere.*No such file"):
            swav.Network.open("nowhere")
        with self.assertRaisesRegex(swav.Error, re.escape(WEIGHTS)):
            self.network.embed([WEIGHTS])
        with self.assertRaisesRegex(ValueError, "output is 'maps'; one of features"):
            self.network.embed([IMAGE], output="maps")
        with self.assertRaisesRegex(ValueError, "needed"):
            self.network.embed(np.zeros((2, 3, 32, 32), np.float32))

    def test_what_is_one_image_or_the_layout_is_no_argument(self):
        for one in [IMAGE, b"bytes"]:
            self.assertRaisesRegex(TypeError, "a list is needed", self.network.embed, one)
        self.assertRaisesRegex(TypeError, "crop_sizes", swav.Trainer, self.network, 4, crop_sizes=(32, 16))
        for crops in ["2-32", "", "+".join(["1x16"] * 9)]:
            self.assertRaisesRegex(ValueError, "crops", swav.Trainer, self.network, 4, crops=crops)
        self.assertRaisesRegex(ValueError, "at most 8", swav.Network.create, 18, prototypes=[9] * 9)
        self.assertRaisesRegex(ValueError, "stem is 'large'", swav.Network.create, 18, stem="large")
        samples = np.zeros((1, 32, 32, 3), np.int64)
        self.assertRaisesRegex(TypeError, "int64", self.network.embed, samples)
        self.assertRaisesRegex(TypeError, "own size", self.network.embed, samples.astype(np.uint8), size=16)

    def test_a_network_is_saved_exported_and_opened_again(self):
        expected = self.network.embed([IMAGE])
        self.network.save(f"{self.folder}/saved.safetensors")
        self.network.export(f"{self.folder}/exported.pth", format="torch")
        for name in ("saved.safetensors", "exported.pth"):
            again = swav.Network.open(f"{self.folder}/{name}")
            self.assertTrue(np.array_equal(again.embed([IMAGE], size=self.network.input["size"]), expected))
            self.assertIn("tensors matched", again.summary)

    def test_training_goes_on_from_a_checkpoint_with_the_same_bits(self):
        def trainer():
            network = swav.Network.create(18, seed=3, base_width=4, stem="small", hidden=16, dim=8, prototypes=[12])
            return swav.Trainer(network, batch=6, crops="2x16+2x8", epsilon=0.1)

        rng, first = np.random.default_rng(2), trainer()
        def views():
            return [rng.standard_normal((2, 6, size, size, 3)).astype(np.float32) for size in (16, 8)]
        report = first.train_step(views(), learning_rate=0.05)
        self.assertTrue(0 < report["loss"] < 10 and report["gradient_norm"] > 0)
        first.save(f"{self.folder}/checkpoint")
        second, then = trainer(), views()
        second.load(f"{self.folder}/checkpoint")
        self.assertEqual(first.train_step(then, 0.05)["loss"], second.train_step(then, 0.05)["loss"])
        with self.assertRaisesRegex(ValueError, "views have the shapes"):
            first.train_step([then[0]], 0.05)
        with self.assertRaisesRegex(TypeError, "views are .*uint8"):
            first.train_step([(255 * view).astype(np.uint8) for view in then], 0.05)
        # A note of any length, and one that cannot be read changes nothing.
        first.save(f"{self.folder}/long", note="x" * (1 << 20))
        self.assertEqual(len(second.load(f"{self.folder}/long")), 1 << 20)
        with self.assertRaises(swav.Error):
            second.load(f"{self.folder}/nothing")

    def test_views_of_files_are_made_by_the_engine(self):
        network = swav.Network.create(18, seed=3, base_width=4, stem="small", hidden=16, dim=8, prototypes=[12])
        trainer = swav.Trainer(network, batch=4, crops="2x32+1x16", assign=[0], epsilon="relative:0.5")
        self.assertEqual(network.input["size"], 32)
        network.input = {"size": 48, "std": [0.25] * 3}
        network.save(f"{self.folder}/saved.safetensors")
        form = swav.Network.open(f"{self.folder}/saved.safetensors").input
        self.assertEqual((form["size"], form["std"]), (48, [0.25] * 3))
        reports = [trainer.train_step([IMAGE] * 4, learning_rate=0.05) for _ in range(2)]
        self.assertNotEqual(reports[0]["loss"], reports[1]["loss"])
        # A checkpoint knows which views come next.
        trainer.save(f"{self.folder}/views", note="two steps")
        other = swav.Network.create(18, seed=4, base_width=4, stem="small", hidden=16, dim=8, prototypes=[12])
        again = swav.Trainer(other, batch=4, crops="2x32+1x16", assign=[0], epsilon="relative:0.5", seed=9)
        self.assertEqual(again.load(f"{self.folder}/views"), "two steps")
        self.assertEqual(again.train_step([IMAGE] * 4, 0.05)["loss"], trainer.train_step([IMAGE] * 4, 0.05)["loss"])
        with self.assertRaisesRegex(ValueError, "3 images are given; a step takes 4"):
            trainer.train_step([IMAGE] * 3, 0.05)


if __name__ == "__main__":
    unittest.main(argv=["test_swav.py"])
