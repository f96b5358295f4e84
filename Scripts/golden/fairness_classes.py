"""Writes the goldens of multi-class and of weighted measures from scikit-learn.

Usage: python fairness_classes.py
"""

import json
import os

import numpy
import sklearn
from sklearn import metrics

folder = os.path.join(os.path.dirname(__file__), "../../Tests/FairnessTests/Golden")
random = numpy.random.default_rng(7)
rows = 400
classes = ["angry", "calm", "glad", "sad"]
groups = random.integers(0, 3, rows)
labels = random.integers(0, 4, rows)
hit = random.random(rows) < numpy.array([0.8, 0.6, 0.7])[groups]
decisions = numpy.where(hit, labels, random.integers(0, 4, rows))


def forms(y, d):
    common = dict(labels=range(4), zero_division=numpy.nan)
    confusion = metrics.multilabel_confusion_matrix(y, d, labels=range(4))
    tn, fp, fn, tp = (confusion[:, i, j].astype(float) for i, j in [(0, 0), (0, 1), (1, 0), (1, 1)])
    return {
        "accuracy": metrics.accuracy_score(y, d),
        "classes": {
            "precision": list(metrics.precision_score(y, d, average=None, **common)),
            "truePositiveRate": list(metrics.recall_score(y, d, average=None, **common)),
            "f1": list(metrics.f1_score(y, d, average=None, **common)),
            "falsePositiveRate": list(fp / (fp + tn)),
        },
        "macro": {
            "precision": metrics.precision_score(y, d, average="macro", **common),
            "truePositiveRate": metrics.recall_score(y, d, average="macro", **common),
            "f1": metrics.f1_score(y, d, average="macro", **common),
        },
        "balancedAccuracy": metrics.balanced_accuracy_score(y, d),
    }


binary = (labels >= 2).astype(int)
scores = numpy.round(numpy.clip(0.5 + 0.25 * (binary - 0.5) + 0.2 * random.normal(size=rows), 0.01, 0.99), 2)
weights = numpy.round(random.gamma(2, 1, rows), 3)
called = (scores >= 0.5).astype(int)


def weighted(keep):
    y, s, d, w = binary[keep], scores[keep], called[keep], weights[keep]
    return {
        "accuracy": metrics.accuracy_score(y, d, sample_weight=w),
        "truePositiveRate": metrics.recall_score(y, d, sample_weight=w),
        "precision": metrics.precision_score(y, d, sample_weight=w),
        "f1": metrics.f1_score(y, d, sample_weight=w),
        "balancedAccuracy": metrics.balanced_accuracy_score(y, d, sample_weight=w),
        "auc": metrics.roc_auc_score(y, s, sample_weight=w),
        "brier": metrics.brier_score_loss(y, s, sample_weight=w),
        "logLoss": metrics.log_loss(y, s, sample_weight=w),
        "meanScore": numpy.average(s, weights=w),
    }


golden = {
    "scikitLearn": sklearn.__version__,
    "classes": classes,
    "groups": [int(g) for g in groups],
    "labels": [int(y) for y in labels],
    "decisions": [int(d) for d in decisions],
    "ofGroups": [forms(labels[groups == g], decisions[groups == g]) for g in range(3)],
    "binary": [int(y) for y in binary],
    "scores": [float(s) for s in scores],
    "weights": [float(w) for w in weights],
    "weighted": [weighted(groups == g) for g in range(3)] + [weighted(groups >= 0)],
}
with open(os.path.join(folder, "classes.json"), "w") as file:
    json.dump(golden, file, separators=(",", ":"))
