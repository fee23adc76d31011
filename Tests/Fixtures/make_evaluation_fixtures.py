#!/usr/bin/env python3
"""Golden files for Tests/SwAVEvaluationTests/ReferenceTests.swift: what scikit-learn, scipy and PyTorch say of the same features.

    python3 -m venv venv && venv/bin/pip install scikit-learn torch
    venv/bin/python Tests/Fixtures/make_evaluation_fixtures.py        # rewrites Tests/Fixtures/evaluation/*.json

features.json: rows of 16 numbers around one direction a class, with noise, so that no figure is near 0 or 100 %; the labels of six
classes; targets of three classes that a row may have together, 0 where it does not count. expected.json: what the reference
libraries find, by protocol.
"""
import json
import os

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, average_precision_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "evaluation")
CLASSES, DIM, TRAIN, VAL = 6, 16, 240, 400


def make(rng, count, centres):
    labels = rng.choice(CLASSES, count, p=[0.3, 0.25, 0.15, 0.1, 0.1, 0.1])
    rows = centres[labels] + 0.45 * rng.standard_normal((count, DIM)) + 0.3
    targets = np.stack([np.isin(labels, group) for group in ([0, 1], [1, 2, 3], [4])]) * 2 - 1
    flips = rng.random(targets.shape)
    targets = np.where(flips < 0.05, -targets, targets)
    targets = np.where(flips > 0.95, 0, targets)
    return np.round(rows, 3).astype(np.float32), labels, targets


def percent(right):
    return 100.0 * float(np.mean(right))


def class_mean(predictions, labels):
    return 100.0 * float(np.mean([np.mean(predictions[labels == c] == c) for c in np.unique(labels)]))


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def knn(train, labels, val, truth):
    found = {}
    for weighting, weights in (("", lambda d: np.exp((1 - d) / 0.07)), ("_equal", "uniform")):
        for k in (20, 200):
            model = KNeighborsClassifier(k, weights=weights, metric="cosine", algorithm="brute").fit(unit(train), labels)
            said = model.predict(unit(val))
            found[f"knn{k}{weighting}"] = percent(said == truth)
            found[f"knn{k}{weighting}_class_mean"] = class_mean(said, truth)
    return found


def linear_features(train, labels, val, truth, penalty=1e-3):
    mean, std = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    model = LogisticRegression(C=1 / (2 * penalty * len(train)), max_iter=10000, tol=1e-8).fit((train - mean) / std, labels)
    said = model.predict((val - mean) / std)
    return {"linear": percent(said == truth), "linear_class_mean": class_mean(said, truth)}


def retrieval(train, labels, val, truth):
    scores = unit(val) @ unit(train).T
    relevant = labels[None, :] == truth[:, None]
    ranked = np.take_along_axis(relevant, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    found = {"retrieval_map": 100 * float(np.mean([average_precision_score(r, s) for r, s in zip(relevant, scores)]))}
    for k in (1, 5, 10):
        found[f"retrieval_recall{k}"] = percent(ranked[:, :k].any(1))
    return found


def clusters(val, truth):
    model = KMeans(CLASSES, n_init=20, random_state=0).fit(unit(val))
    said = model.labels_
    table = np.zeros((CLASSES, CLASSES))
    np.add.at(table, (said, truth), 1)
    rows, columns = linear_sum_assignment(-table)
    # More clusters than classes, and fewer.
    others = {}
    for count in (4, 11):
        own = KMeans(count, n_init=3, random_state=0).fit(unit(val)).labels_
        wide = np.zeros((count, CLASSES))
        np.add.at(wide, (own, truth), 1)
        r, c = linear_sum_assignment(-wide)
        others[str(count)] = {"clusters": own.tolist(), "hungarian": 100 * wide[r, c].sum() / len(truth)}
    return {
        "clusters": said.tolist(),
        "nmi": normalized_mutual_info_score(truth, said),
        "ari": adjusted_rand_score(truth, said),
        "purity": 100 * table.max(1).sum() / len(truth),
        "hungarian": 100 * table[rows, columns].sum() / len(truth),
        "others": others,
    }


def linear_sgd(train, labels, val, truth, epochs=100, rate=0.3, decay=1e-6, transfer=False):
    """A batch of all rows, so that no order matters; from zero, where ours starts near it. `transfer` divides the rate by ten three times."""
    x, y = torch.tensor(train, dtype=torch.float64), torch.tensor(labels)
    layer = torch.nn.Linear(DIM, CLASSES).double()
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate * TRAIN / 256, momentum=0.9, weight_decay=decay)
    if transfer:
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [epochs * part // 4 for part in (1, 2, 3)], 0.1)
    else:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    losses, accuracies = [], []
    for _ in range(epochs):
        loss = torch.nn.functional.cross_entropy(layer(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        said = layer(torch.tensor(val, dtype=torch.float64)).argmax(1).numpy()
        accuracies.append(percent(said == truth))
    return {"right": accuracies[-1], "best": max(accuracies), "loss": losses[-1]}


def eleven_point(scores, targets):
    keep = targets != 0
    scores, positive = scores[keep], targets[keep] > 0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    recall, precision = hits / positive.sum(), hits / np.arange(1, len(order) + 1)
    points = [precision[recall >= t - 1e-12].max() if (recall >= t - 1e-12).any() else 0 for t in np.linspace(0, 1, 11)]
    return float(np.mean(points))


def svm(train, train_targets, val, val_targets, costs=(0.1, 10)):
    found = {}
    for cost in costs:
        precisions = []
        for own, asked in zip(train_targets, val_targets):
            keep = own != 0
            model = LinearSVC(C=cost, loss="squared_hinge", dual=False, tol=1e-8, max_iter=100000, class_weight={1: 2, -1: 1})
            model.fit(unit(train)[keep], own[keep])
            precisions.append(eleven_point(model.decision_function(unit(val)), asked))
        found[str(cost)] = 100 * float(np.mean(precisions))
    return found


def main():
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((CLASSES, DIM)) * 0.35
    train, labels, train_targets = make(rng, TRAIN, centres)
    val, truth, val_targets = make(rng, VAL, centres)
    os.makedirs(FOLDER, exist_ok=True)
    features = {
        "dim": DIM,
        "classes": CLASSES,
        "train": [round(float(x), 3) for x in train.reshape(-1)],
        "train_labels": labels.tolist(),
        "train_targets": train_targets.reshape(-1).tolist(),
        "val": [round(float(x), 3) for x in val.reshape(-1)],
        "val_labels": truth.tolist(),
        "val_targets": val_targets.reshape(-1).tolist(),
    }
    expected = {
        "knn": knn(train, labels, val, truth),
        "linear_features": linear_features(train, labels, val, truth),
        "retrieval": retrieval(train, labels, val, truth),
        "clusters": clusters(val, truth),
        "linear_sgd": linear_sgd(train, labels, val, truth),
        "transfer": {
            "places": linear_sgd(train, labels, val, truth, epochs=28, rate=0.01, decay=1e-4, transfer=True),
            "inaturalist": linear_sgd(train, labels, val, truth, epochs=84, rate=0.01, decay=1e-4, transfer=True),
        },
        "svm": svm(train, train_targets, val, val_targets),
    }
    for name, value in (("features", features), ("expected", expected)):
        with open(os.path.join(FOLDER, name + ".json"), "w") as file:
            json.dump(value, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main()
