"""SwAV on the CPU: visual features from images, and training, through the C interface of libswav. Needs numpy, and nothing else.

    import swav
    network = swav.Network.open("weights.safetensors")
    features = network.embed(["a.jpg", "b.jpg"])                        # float32 [2, network.feature_dim]

    trainer = swav.Trainer(network, batch=32, crops="2x96+4x48")
    report = trainer.train_step(paths_of_32_images, learning_rate=0.1)  # views are made by the engine
    network.save("trained.safetensors")

The library is the one installed with this file, or the system's; `swav.load(path)` before anything else names another. What the engine
refuses raises `swav.Error` with its message, one line that says what was wrong and what would be right; arguments that make no sense
raise ValueError or TypeError, files of images that cannot be read OSError. Calls may come from any thread, and let other threads of
Python run meanwhile.
"""
import json
import os
import re
from ctypes import POINTER, byref, c_float, c_int32, c_size_t, c_void_p, create_string_buffer

import numpy as np

from swav_library import (FORMATS, KEYS, MAX_GROUPS, OPTIMIZERS, OUTPUTS, STEMS, CropGroup, Error, ExportOptions, InputDescription,
                          LoadOptions, LoadReport, NetworkConfig, NetworkInfo, StepInput, StepReport, TrainerConfig, call, is_loaded,
                          library, load, version)

__all__ = ["Error", "Network", "Trainer", "load", "version"]


def _choice(what, value, choices):
    if value not in choices:
        raise ValueError(f"{what} is {value!r}; one of {', '.join(choices)} is needed")
    return choices[value]


def _set(structure, name, value, choices=None):
    """Sets a field as Python has it: a choice by its name, an array as a list of up to as many numbers."""
    kind = dict(structure._fields_)[name]
    if choices is not None:
        value = _choice(name, value, choices)
    elif hasattr(kind, "_length_"):
        if len(value) > kind._length_:
            raise ValueError(f"{name} has {len(value)} values; at most {kind._length_} are allowed")
        value = kind(*value)
    setattr(structure, name, value)


def _floats(array):
    return array.ctypes.data_as(POINTER(c_float))


def _bytes_of(image):
    """The encoded bytes of an image: of a path, or given as they are."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    with open(image, "rb") as file:
        return file.read()


class Network:
    """A ResNet with projection head and prototypes."""

    def __init__(self, handle, summary=""):
        self._handle, self.summary = handle, summary

    @classmethod
    def open(cls, path, prefix=None, head=True):
        """Opens any file of weights that the engine reads: safetensors, PyTorch's. `prefix` chooses an encoder where there are two.
        `summary` then says what was recognised."""
        options = LoadOptions(prefix.encode() if prefix else None, not head, not head)
        handle, report = c_void_p(), LoadReport()
        call("swav_network_open", os.fsencode(path), byref(options), byref(handle), byref(report))
        return cls(handle, report.summary.decode(errors="replace"))

    @classmethod
    def create(cls, depth=50, seed=0, **settings):
        """A network with random weights; `settings` are fields of swav_network_config: prototypes a list, stem "imagenet" or "small"."""
        config = library().swav_network_config_default()
        config.depth = depth
        for name, value in settings.items():
            if name not in dict(NetworkConfig._fields_) or name == "head_count":
                raise TypeError(f"a network has no setting {name!r}")
            _set(config, name, value, STEMS if name == "stem" else None)
            if name == "prototypes":
                config.head_count = len(value)
        handle = c_void_p()
        call("swav_network_create", byref(config), seed, byref(handle))
        return cls(handle)

    def __del__(self):
        if is_loaded() and getattr(self, "_handle", None):
            library().swav_network_destroy(self._handle)

    def _info(self):
        info = NetworkInfo()
        call("swav_network_describe", self._handle, byref(info))
        return info

    @property
    def feature_dim(self):
        return self._info().feature_dim

    @property
    def input(self):
        """What an input looks like: size, mean, std. Travels with the weights; may be set, all of it or a part, as {"size": 96}."""
        found = InputDescription()
        call("swav_network_input", self._handle, byref(found))
        channels = self._info().config.channels
        return {"size": found.size, "mean": list(found.mean)[:channels], "std": list(found.std)[:channels]}

    @input.setter
    def input(self, value):
        form = InputDescription()
        call("swav_network_input", self._handle, byref(form))
        for name, part in value.items():
            if name not in dict(InputDescription._fields_):
                raise TypeError(f"an input has no {name!r}; size, mean and std are what it has")
            _set(form, name, part)
        call("swav_network_describe_input", self._handle, byref(form))

    def _length(self, output):
        info = self._info()
        lengths = {"features": info.feature_dim, "embeddings": info.config.dim, "scores": info.config.prototypes[0],
                   "grid": 4 * info.feature_dim}
        return lengths[output] if output in lengths else info.feature_dim >> 4 - int(output[-1])

    def embed(self, images, output="features", size=None):
        """What the network gives for images, float32 [images, numbers]: "features", "embeddings", "scores", or
        "stage1" to "stage3", the means of inner maps, "grid", the last map in four windows [feature_dim, 4].

        `images` are paths or encoded bytes: decoded, shorter side to 256/224 of `size` (the network's own unless given), centre crop. Or
        an array [images, height, width, channels], of uint8 samples or of floats that are normalised already; it is taken as it is."""
        kind = _choice("output", output, OUTPUTS)
        if isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)):
            raise TypeError("images is one image; a list is needed, as [image]")
        if isinstance(images, np.ndarray):
            if size is not None:
                raise TypeError("size is of paths and encoded bytes; an array is taken in its own size")
            return self._embed_array(images, output, kind)
        result = np.empty((len(images), self._length(output)), np.float32)
        for index, image in enumerate(images):
            data = _bytes_of(image)
            try:
                call("swav_network_embed_bytes", self._handle, data, len(data), size or 0, kind, _floats(result[index]))
            except Error as error:
                name = f"image {index}" if isinstance(image, (bytes, bytearray, memoryview)) else os.fspath(image)
                raise Error(error.status, f"{name}: {error}") from None
        return result

    def _embed_array(self, images, output, kind):
        channels = self._info().config.channels
        if images.ndim != 4 or images.shape[3] != channels:
            raise ValueError(f"images have the shape {images.shape}; [images, height, width, {channels}] is needed")
        if images.dtype == np.uint8:
            form = self.input
            images = (images.astype(np.float32) / np.float32(255) - np.float32(form["mean"])) / np.float32(form["std"])
        elif not np.issubdtype(images.dtype, np.floating):
            raise TypeError(f"images are of {images.dtype}; samples of uint8, or normalised floats, are needed")
        images = np.ascontiguousarray(images, np.float32)
        result = np.empty((len(images), self._length(output)), np.float32)
        call("swav_network_embed", self._handle, kind, _floats(images), len(images), images.shape[1], images.shape[2],
              _floats(result))
        return result

    def save(self, path):
        call("swav_network_save", self._handle, os.fsencode(path))

    def export(self, path, format="safetensors", keys="torchvision", head=False):
        """Writes the tensors for other programs: "safetensors" or "torch"; keys of "torchvision", "timm", "detectron2" or "mmdet"."""
        options = ExportOptions(_choice("format", format, FORMATS), _choice("keys", keys, KEYS), head)
        call("swav_network_export", self._handle, os.fsencode(path), byref(options))


class Trainer:
    """Training state of a network: optimiser, queue, memory plan.

    `crops` are groups of views as "2x224+6x96"; `epsilon` is a number, or "relative:0.5", times the spread of the scores; `assign` a list;
    other `settings` are fields of swav_trainer_config, such as temperature or queue_length. The network is told that inputs are as large
    as the largest view (`network.input`, which may be set afterwards).
    """

    def __init__(self, network, batch, crops="2x224+6x96", optimizer="larc", seed=0, epsilon=None, **settings):
        config = library().swav_trainer_config_default()
        self._recipe = library().swav_recipe_default()
        if not re.fullmatch(r"\d+x\d+(\+\d+x\d+)*", crops):
            raise ValueError(f"crops is {crops!r}; groups of COUNTxSIZE joined by +, as 2x224+6x96, are needed")
        groups = [tuple(map(int, part.split("x"))) for part in crops.split("+")]
        if len(groups) > MAX_GROUPS:
            raise ValueError(f"crops has {len(groups)} groups; at most {MAX_GROUPS} are allowed")
        config.group_count = self._recipe.group_count = len(groups)
        for index, (count, size) in enumerate(groups):
            published = self._recipe.groups[min(index, 1)]
            config.crop_counts[index], config.crop_sizes[index] = count, size
            self._recipe.groups[index] = CropGroup(count, size, published.min_scale, published.max_scale)
        config.batch, config.optimizer = batch, _choice("optimizer", optimizer, OPTIMIZERS)
        if epsilon is not None:
            number = str(epsilon).removeprefix("relative:")
            config.codes.epsilon, config.codes.relative = float(number), number != str(epsilon)
        for name, value in settings.items():
            if name not in dict(TrainerConfig._fields_) or name in ("group_count", "crop_counts", "crop_sizes", "assign_count", "codes"):
                raise TypeError(f"a trainer has no setting {name!r}; crops says which groups of views there are, epsilon is of the codes")
            _set(config, name, value)
            if name == "assign":
                config.assign_count = len(value)
        channels, form = network._info().config.channels, network.input
        self._recipe.channels = channels
        self._recipe.mean[:channels], self._recipe.std[:channels] = form["mean"], form["std"]
        self.network, self.batch, self._groups, self._seed, self._shown = network, batch, groups, seed, 0
        # The engine's layout: each group [views * batch][size][size][channels], row v * batch + b.
        self._crops = [np.empty((count, batch, size, size, channels), np.float32) for count, size in groups]
        self._handle = None
        handle = c_void_p()
        call("swav_trainer_create", network._handle, byref(config), byref(handle))
        self._handle = handle
        network.input = {"size": max(size for _, size in groups)}

    def __del__(self):
        if is_loaded() and getattr(self, "_handle", None):
            library().swav_trainer_destroy(self._handle)

    def _cut(self, images):
        if len(images) != self.batch:
            raise ValueError(f"{len(images)} images are given; a step takes {self.batch}")
        views = sum(count for count, _ in self._groups)
        for row, image in enumerate(images):
            targets = [_floats(group[view, row]) for group in self._crops for view in range(len(group))]
            data = _bytes_of(image)
            # Views are a function of the seed and of how many images came before.
            call("swav_multicrop", data, len(data), None, byref(self._recipe), self._seed, 0, self._shown + row,
                  (POINTER(c_float) * views)(*targets))
        self._shown += len(images)

    def train_step(self, images, learning_rate, freeze_prototypes=False, use_queue=False):
        """One step on `batch` images: paths, or encoded bytes. Or on views of the caller's, one array a group: [views, batch, size, size,
        channels], normalised. Returns what it found, by name: loss, gradient_norm, code_entropy, ..."""
        if isinstance(images[0], np.ndarray):
            if [view.shape for view in images] != [group.shape for group in self._crops]:
                raise ValueError(f"views have the shapes {[v.shape for v in images]}; {[g.shape for g in self._crops]} are needed")
            if not all(np.issubdtype(view.dtype, np.floating) for view in images):
                raise TypeError(f"views are {[str(v.dtype) for v in images]}; normalised floats are needed")
            for group, views in zip(self._crops, images):
                group[...] = views
        else:
            self._cut(images)
        pointers = (POINTER(c_float) * len(self._crops))(*[_floats(group) for group in self._crops])
        given, report = StepInput(pointers, learning_rate, freeze_prototypes, use_queue, True), StepReport()
        call("swav_trainer_step", self._handle, byref(given), byref(report))
        return {name: getattr(report, name) for name, _ in StepReport._fields_}

    def save(self, path, note=""):
        """Writes a checkpoint: network, optimiser, queue, where the views are, and a note."""
        text = json.dumps({"note": note, "seed": self._seed, "shown": self._shown})
        call("swav_trainer_save", self._handle, os.fsencode(path), text.encode())

    @staticmethod
    def _note(path):
        size = c_size_t()
        library().swav_checkpoint_note(path, None, 0, byref(size))  # says how long it is
        text = create_string_buffer(size.value + 1)
        call("swav_checkpoint_note", path, text, len(text), byref(size))
        return text.value

    def load(self, path):
        """Goes on from a checkpoint of the same settings, with views as if there had been no break; returns its note."""
        note = self._note(os.fsencode(path))
        call("swav_trainer_load", self._handle, os.fsencode(path), None)
        try:
            state = json.loads(note)
            self._seed, self._shown = int(state["seed"]), int(state["shown"])
            return state["note"]
        except (ValueError, TypeError, KeyError):  # not written here: its views begin with the first
            return note.decode(errors="replace")
