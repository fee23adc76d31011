"""SwAV on the CPU: visual features from images, and training, through the C interface of libswav. Needs numpy, and nothing else.

    import swav
    network = swav.Network.open("weights.safetensors")
    features = network.embed(["a.jpg", "b.jpg"])                        # float32 [2, network.feature_dim]

    trainer = swav.Trainer(network, batch=32, crops="2x96+4x48")
    report = trainer.train_step(paths_of_32_images, learning_rate=0.1)  # views are made by the engine
    network.save("trained.safetensors")

The library is the one installed with this file, or the system's; `swav.load(path)` before anything else names another. Every function
raises `swav.Error` with the engine's message, one line that says what was wrong and what would be right. Calls may come from any
thread, and let other threads of Python run meanwhile.
"""
import ctypes
import ctypes.util
import glob
import os
from ctypes import POINTER, Structure, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p

import numpy as np

__all__ = ["Error", "Network", "Trainer", "load", "version"]

# Of the header that the structures below follow; another library is refused.
VERSION = 100

OUTPUTS = {"features": 0, "embeddings": 1, "scores": 2, "stage1": 3, "stage2": 4, "stage3": 5, "grid": 6}
FORMATS = {"safetensors": 0, "torch": 1}
KEYS = {"torchvision": 0, "timm": 1, "detectron2": 2, "mmdet": 3}
OPTIMIZERS = {"larc": 0, "sgd": 1, "adamw": 2}
MAX_CHANNELS, MAX_GROUPS, MAX_HEADS = 4, 8, 8


class Error(Exception):
    """What the engine refused and why; `status` is its swav_status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


# ---- The structures of swav.h -----------------------------------------------------------------------------------------------------


class NetworkConfig(Structure):
    _fields_ = [("depth", c_int32), ("width", c_int32), ("base_width", c_int32), ("stem", c_int), ("channels", c_int32),
                ("hidden", c_int32), ("dim", c_int32), ("head_count", c_int32), ("prototypes", c_int32 * MAX_HEADS),
                ("plain_head", c_bool)]


class NetworkInfo(Structure):
    _fields_ = [("config", NetworkConfig), ("feature_dim", c_int32), ("parameter_count", c_int64), ("tensor_count", c_int64)]


class LoadOptions(Structure):
    _fields_ = [("prefix", c_char_p), ("skip_head", c_bool), ("skip_prototypes", c_bool)]


class LoadReport(Structure):
    _fields_ = [("architecture", c_char * 32), ("format", c_char * 32), ("names", c_char * 64), ("prefix", c_char * 256),
                ("guessed", c_bool), ("matched", c_int64), ("converted", c_int64), ("missing", c_int64),
                ("unexpected", c_int64), ("missing_names", c_char * 512), ("unexpected_names", c_char * 512),
                ("summary", c_char * 1024)]


class InputDescription(Structure):
    _fields_ = [("size", c_int32), ("mean", c_float * MAX_CHANNELS), ("std", c_float * MAX_CHANNELS)]


class ExportOptions(Structure):
    _fields_ = [("format", c_int), ("keys", c_int), ("head", c_bool)]


class CropGroup(Structure):
    _fields_ = [("count", c_int32), ("size", c_int32), ("min_scale", c_float), ("max_scale", c_float)]


class Recipe(Structure):
    _fields_ = [("groups", CropGroup * MAX_GROUPS), ("group_count", c_int32), ("channels", c_int32), ("min_aspect", c_float),
                ("max_aspect", c_float), ("flip_probability", c_float), ("jitter_probability", c_float),
                ("brightness", c_float), ("contrast", c_float), ("saturation", c_float), ("hue", c_float),
                ("grayscale_probability", c_float), ("blur_probability", c_float), ("min_sigma", c_float),
                ("max_sigma", c_float), ("mean", c_float * MAX_CHANNELS), ("std", c_float * MAX_CHANNELS),
                ("precision", c_int)]


class CodesConfig(Structure):
    _fields_ = [("epsilon", c_float), ("relative", c_bool), ("epsilon_floor", c_float), ("iterations", c_int32)]


class TrainerConfig(Structure):
    _fields_ = [("group_count", c_int32), ("crop_counts", c_int32 * MAX_GROUPS), ("crop_sizes", c_int32 * MAX_GROUPS),
                ("batch", c_int32), ("assign_count", c_int32), ("assign", c_int32 * MAX_GROUPS), ("codes", CodesConfig),
                ("temperature", c_float), ("queue_length", c_int32), ("optimizer", c_int), ("momentum", c_float),
                ("trust", c_float), ("beta1", c_float), ("beta2", c_float), ("adam_epsilon", c_float),
                ("weight_decay", c_float), ("direct", c_bool), ("micro_batch", c_int32), ("bfloat16", c_bool)]


class StepInput(Structure):
    _fields_ = [("crops", POINTER(POINTER(c_float))), ("learning_rate", c_double), ("freeze_prototypes", c_bool),
                ("use_queue", c_bool), ("update", c_bool)]


class StepReport(Structure):
    _fields_ = [("loss", c_double), ("gradient_norm", c_double), ("code_entropy", c_double), ("score_spread", c_double),
                ("epsilon", c_double), ("similarity", c_double), ("prototypes_used", c_int64), ("queue_used", c_bool),
                ("queue_age", c_int64), ("prediction_entropy", c_double), ("sinkhorn_error", c_double),
                ("forward_seconds", c_double), ("objective_seconds", c_double), ("backward_seconds", c_double),
                ("update_seconds", c_double)]


# By the names of the header, for whoever compares layouts.
STRUCTURES = {"swav_network_config": NetworkConfig, "swav_network_info": NetworkInfo, "swav_load_options": LoadOptions,
              "swav_load_report": LoadReport, "swav_input_description": InputDescription,
              "swav_export_options": ExportOptions, "swav_crop_group": CropGroup, "swav_recipe": Recipe,
              "swav_codes_config": CodesConfig, "swav_trainer_config": TrainerConfig, "swav_step_input": StepInput,
              "swav_step_report": StepReport}

# What the functions that are used here take, beside those that return a structure; all of them return a status.
_FUNCTIONS = {
    "swav_network_open": [c_char_p, POINTER(LoadOptions), POINTER(c_void_p), POINTER(LoadReport)],
    "swav_network_create": [POINTER(NetworkConfig), c_uint64, POINTER(c_void_p)],
    "swav_network_describe": [c_void_p, POINTER(NetworkInfo)],
    "swav_network_input": [c_void_p, POINTER(InputDescription)],
    "swav_network_save": [c_void_p, c_char_p],
    "swav_network_export": [c_void_p, c_char_p, POINTER(ExportOptions)],
    "swav_network_embed": [c_void_p, c_int, POINTER(c_float), c_int64, c_int32, c_int32, POINTER(c_float)],
    "swav_network_embed_bytes": [c_void_p, c_char_p, c_size_t, c_int32, c_int, POINTER(c_float)],
    "swav_multicrop": [c_char_p, c_size_t, c_void_p, POINTER(Recipe), c_uint64, c_uint64, c_uint64, POINTER(POINTER(c_float))],
    "swav_trainer_create": [c_void_p, POINTER(TrainerConfig), POINTER(c_void_p)],
    "swav_trainer_step": [c_void_p, POINTER(StepInput), POINTER(StepReport)],
    "swav_trainer_save": [c_void_p, c_char_p, c_char_p],
    "swav_trainer_load": [c_void_p, c_char_p, c_void_p],
}
_library = None


def load(path=None):
    """Loads the library at `path`; without one, the one installed with this file, or the system's."""
    global _library
    prefix = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
    beside = glob.glob(os.path.join(prefix, "lib", "libswav.so")) + glob.glob(os.path.join(prefix, "lib*", "*", "libswav.so"))
    found = path or (beside + [ctypes.util.find_library("swav")])[0]
    if not found:
        raise OSError("libswav.so is not installed; build it with CMake, or name it: swav.load(path)")
    library = ctypes.CDLL(os.fspath(found))
    if library.swav_version() != VERSION:
        raise OSError(f"{found} is of version {library.swav_version()}; this module is of version {VERSION}")
    for name, arguments in _FUNCTIONS.items():
        getattr(library, name).argtypes = arguments
    library.swav_error_message.restype = c_char_p
    library.swav_recipe_default.restype = Recipe
    library.swav_trainer_config_default.restype = TrainerConfig
    library.swav_network_config_default.restype = NetworkConfig
    for name in ("swav_network_destroy", "swav_trainer_destroy"):
        getattr(library, name).argtypes, getattr(library, name).restype = [c_void_p], None
    _library = library


def _lib():
    if _library is None:
        load()
    return _library


def _call(name, *arguments):
    status = getattr(_lib(), name)(*arguments)
    if status:
        raise Error(status, _lib().swav_error_message().decode(errors="replace"))


def version():
    """Of the library: "0.1.0"."""
    number = _lib().swav_version()
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _choice(what, value, choices):
    if value not in choices:
        raise ValueError(f"{what} is {value!r}; one of {', '.join(choices)} is needed")
    return choices[value]


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
        _call("swav_network_open", os.fsencode(path), byref(options), byref(handle), byref(report))
        return cls(handle, report.summary.decode())

    @classmethod
    def create(cls, depth=50, seed=0, **settings):
        """A network with random weights; `settings` are fields of swav_network_config, prototypes a list."""
        config = _lib().swav_network_config_default()
        config.depth = depth
        for name, value in settings.items():
            if name == "prototypes":
                config.head_count = len(value)
                config.prototypes = (c_int32 * MAX_HEADS)(*value)
            else:
                if name not in dict(NetworkConfig._fields_):
                    raise TypeError(f"a network has no setting {name!r}")
                setattr(config, name, value)
        handle = c_void_p()
        _call("swav_network_create", byref(config), seed, byref(handle))
        return cls(handle)

    def __del__(self):
        if _library is not None and getattr(self, "_handle", None):
            _library.swav_network_destroy(self._handle)

    def _info(self):
        info = NetworkInfo()
        _call("swav_network_describe", self._handle, byref(info))
        return info

    @property
    def feature_dim(self):
        return self._info().feature_dim

    @property
    def input(self):
        """What an input looks like: size, mean, std."""
        found = InputDescription()
        _call("swav_network_input", self._handle, byref(found))
        channels = self._info().config.channels
        return {"size": found.size, "mean": list(found.mean)[:channels], "std": list(found.std)[:channels]}

    def _length(self, output):
        info = self._info()
        lengths = {"features": info.feature_dim, "embeddings": info.config.dim, "scores": info.config.prototypes[0],
                   "grid": 4 * info.feature_dim}
        return lengths[output] if output in lengths else info.feature_dim >> 4 - int(output[-1])

    def embed(self, images, output="features", size=None):
        """What the network gives for images, float32 [images, numbers]: "features", "embeddings", "scores", or
        "stage1" to "stage3", the means of inner maps, "grid", the last map in four windows [feature_dim, 4].

        `images` are paths or encoded bytes: decoded, shorter side to 256/224 of `size` (the network's own unless given), centre crop. Or
        an array [images, height, width, channels], of uint8 samples or of floats that are normalised already."""
        kind = _choice("output", output, OUTPUTS)
        if isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike)):
            raise TypeError("images is one image; a list is needed, as [image]")
        if isinstance(images, np.ndarray):
            return self._embed_array(images, output, kind)
        result = np.empty((len(images), self._length(output)), np.float32)
        for index, image in enumerate(images):
            data = _bytes_of(image)
            try:
                _call("swav_network_embed_bytes", self._handle, data, len(data), size or 0, kind, _floats(result[index]))
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
        images = np.ascontiguousarray(images, np.float32)
        result = np.empty((len(images), self._length(output)), np.float32)
        _call("swav_network_embed", self._handle, kind, _floats(images), len(images), images.shape[1], images.shape[2],
              _floats(result))
        return result

    def save(self, path):
        _call("swav_network_save", self._handle, os.fsencode(path))

    def export(self, path, format="safetensors", keys="torchvision", head=False):
        """Writes the tensors for other programs: "safetensors" or "torch"; keys of "torchvision", "timm", "detectron2" or "mmdet"."""
        options = ExportOptions(_choice("format", format, FORMATS), _choice("keys", keys, KEYS), head)
        _call("swav_network_export", self._handle, os.fsencode(path), byref(options))


class Trainer:
    """Training state of a network: optimiser, queue, memory plan.

    `crops` are groups of views as "2x224+6x96"; `settings` are fields of swav_trainer_config, such as temperature or queue_length.
    """

    def __init__(self, network, batch, crops="2x224+6x96", optimizer="larc", seed=0, epsilon=None, **settings):
        config = _lib().swav_trainer_config_default()
        self._recipe = _lib().swav_recipe_default()
        groups = [tuple(map(int, part.split("x"))) for part in crops.split("+")]
        config.group_count = self._recipe.group_count = len(groups)
        for index, (count, size) in enumerate(groups):
            published = self._recipe.groups[min(index, 1)]
            config.crop_counts[index], config.crop_sizes[index] = count, size
            self._recipe.groups[index] = CropGroup(count, size, published.min_scale, published.max_scale)
        config.batch, config.optimizer = batch, _choice("optimizer", optimizer, OPTIMIZERS)
        if epsilon is not None:
            config.codes.epsilon = epsilon
        for name, value in settings.items():
            if name not in dict(TrainerConfig._fields_) or name in ("group_count", "crop_counts", "crop_sizes"):
                raise TypeError(f"a trainer has no setting {name!r}; crops says which groups of views there are")
            setattr(config, name, value)
        channels, form = network._info().config.channels, network.input
        self._recipe.channels = channels
        self._recipe.mean[:channels], self._recipe.std[:channels] = form["mean"], form["std"]
        self.network, self.batch, self._groups, self._seed, self._shown = network, batch, groups, seed, 0
        # The engine's layout: each group [views * batch][size][size][channels], row v * batch + b.
        self._crops = [np.empty((count, batch, size, size, channels), np.float32) for count, size in groups]
        self._handle = None
        handle = c_void_p()
        _call("swav_trainer_create", network._handle, byref(config), byref(handle))
        self._handle = handle

    def __del__(self):
        if _library is not None and getattr(self, "_handle", None):
            _library.swav_trainer_destroy(self._handle)

    def _cut(self, images):
        if len(images) != self.batch:
            raise ValueError(f"{len(images)} images are given; a step takes {self.batch}")
        views = sum(count for count, _ in self._groups)
        for row, image in enumerate(images):
            targets = [_floats(group[view, row]) for group in self._crops for view in range(len(group))]
            data = _bytes_of(image)
            # Views are a function of the seed and of how many images came before.
            _call("swav_multicrop", data, len(data), None, byref(self._recipe), self._seed, 0, self._shown + row,
                  (POINTER(c_float) * views)(*targets))
        self._shown += len(images)

    def train_step(self, images, learning_rate, freeze_prototypes=False, use_queue=False):
        """One step on `batch` images: paths, or encoded bytes. Or on views of the caller's, one array a group: [views, batch, size, size,
        channels], normalised. Returns what it found, by name: loss, gradient_norm, code_entropy, ..."""
        if isinstance(images[0], np.ndarray):
            if [view.shape for view in images] != [group.shape for group in self._crops]:
                raise ValueError(f"views have the shapes {[v.shape for v in images]}; {[g.shape for g in self._crops]} are needed")
            for group, views in zip(self._crops, images):
                group[...] = views
        else:
            self._cut(images)
        pointers = (POINTER(c_float) * len(self._crops))(*[_floats(group) for group in self._crops])
        given, report = StepInput(pointers, learning_rate, freeze_prototypes, use_queue, True), StepReport()
        _call("swav_trainer_step", self._handle, byref(given), byref(report))
        return {name: getattr(report, name) for name, _ in StepReport._fields_}

    def save(self, path, note=""):
        """Writes a checkpoint: network, optimiser, queue."""
        _call("swav_trainer_save", self._handle, os.fsencode(path), note.encode())

    def load(self, path):
        """Goes on from a checkpoint of the same settings."""
        _call("swav_trainer_load", self._handle, os.fsencode(path), None)
