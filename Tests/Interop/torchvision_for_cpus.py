"""Lets the torchvision of PyPI, which is built for CUDA, be imported beside a PyTorch for CPUs alone. environment.sh puts this into the
environment that it makes, where torchvision does not import otherwise.

Its compiled operators, of detection, cannot be loaded there, and its import ends as two of them are missing. Networks and transforms,
which are what is compared with, are written in Python: the names of the two are enough for them.
"""
import sys

OPERATORS = ("nms", "qnms")


class BeforeTorchvision:
    """Looks for no module itself: does what has to be done just before torchvision is looked for."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(cls)
            import torch
            for operator in OPERATORS:
                torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return None


sys.meta_path.insert(0, BeforeTorchvision)
