"""Networks as PyTorch has them, with random weights, saved as the published files are."""
import os
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures"))
from make_torch_fixtures import ResNet, head_of  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.228, 0.224, 0.225)


class Network(nn.Module):
    """Backbone, projection head and prototypes; `base` is the width of the stem."""

    def __init__(self, depth, base=64, stem="imagenet", hidden=512, dim=128, prototypes=300, plain=False, seed=1):
        super().__init__()
        torch.manual_seed(seed)
        self.depth, self.base, self.stem, self.prototypes_count = depth, base, stem, prototypes
        self.backbone = ResNet(depth, base)
        if stem == "small":
            self.backbone.conv1 = nn.Conv2d(3, base, 3, 1, 1, bias=False)
            self.backbone.maxpool = nn.Identity()
        self.projection_head = head_of(self.backbone.dim, hidden, dim, norm=not plain)
        self.prototypes = nn.Linear(dim, prototypes, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
                # A batch-norm at work: none of its numbers is the one that it begins with.
                nn.init.uniform_(module.weight, 0.3, 0.7)
                nn.init.normal_(module.bias, 0, 0.1)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.num_batches_tracked.fill_(1000)
        self.eval()

    def forward(self, images):
        """Features, embeddings, scores."""
        features = self.backbone(images)
        embeddings = F.normalize(self.projection_head(features))
        return {"features": features, "embeddings": embeddings,
                "scores": embeddings @ F.normalize(self.prototypes.weight).T}

    def save(self, path, stream=False):
        """As the published files: keys of a wrapped module, those of the backbone without a prefix of their own; in the zip archive
        of today or the stream of torch before 1.6."""
        torch.save({"module." + key.removeprefix("backbone."): value for key, value in self.state_dict().items()}, path,
                   _use_new_zipfile_serialization=not stream)


def relative_error(found, expected):
    found, expected = torch.as_tensor(found).double(), torch.as_tensor(expected).double()
    return float((found - expected).norm() / expected.norm())
