"""libswav for ctypes: structures and functions of swav.h, and the library itself. swav.py, which lies beside it, is for use."""
import ctypes
import ctypes.util
import glob
import os
from ctypes import (POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint64,
                    c_void_p)

# Of the header that the structures below follow; another library is refused.
VERSION = 100

OUTPUTS = {"features": 0, "embeddings": 1, "scores": 2, "stage1": 3, "stage2": 4, "stage3": 5, "grid": 6}
FORMATS = {"safetensors": 0, "torch": 1}
KEYS = {"torchvision": 0, "timm": 1, "detectron2": 2, "mmdet": 3}
OPTIMIZERS = {"larc": 0, "sgd": 1, "adamw": 2}
STEMS = {"imagenet": 0, "small": 1}
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
    "swav_network_describe_input": [c_void_p, POINTER(InputDescription)],
    "swav_network_save": [c_void_p, c_char_p],
    "swav_network_export": [c_void_p, c_char_p, POINTER(ExportOptions)],
    "swav_network_embed": [c_void_p, c_int, POINTER(c_float), c_int64, c_int32, c_int32, POINTER(c_float)],
    "swav_network_embed_bytes": [c_void_p, c_char_p, c_size_t, c_int32, c_int, POINTER(c_float)],
    "swav_multicrop": [c_char_p, c_size_t, c_void_p, POINTER(Recipe), c_uint64, c_uint64, c_uint64, POINTER(POINTER(c_float))],
    "swav_trainer_create": [c_void_p, POINTER(TrainerConfig), POINTER(c_void_p)],
    "swav_trainer_step": [c_void_p, POINTER(StepInput), POINTER(StepReport)],
    "swav_trainer_save": [c_void_p, c_char_p, c_char_p],
    "swav_trainer_load": [c_void_p, c_char_p, c_void_p],
    "swav_checkpoint_note": [c_char_p, c_char_p, c_size_t, POINTER(c_size_t)],
}
_loaded = None


def load(path=None):
    """Loads the library at `path`; without one, the one installed with this file, or the system's."""
    global _loaded
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
    _loaded = library


def library():
    """The library, loaded where it was not yet."""
    if _loaded is None:
        load()
    return _loaded


def is_loaded():
    return _loaded is not None


def call(name, *arguments):
    """Calls a function of the library that returns a status; raises Error unless that is SWAV_OK."""
    status = getattr(library(), name)(*arguments)
    if status:
        raise Error(status, library().swav_error_message().decode(errors="replace"))


def version():
    """Of the library: "0.1.0"."""
    number = library().swav_version()
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
