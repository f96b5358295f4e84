"""Makes Tests/FairnessTests/Golden/repair.json from AIF360, Fairlearn, SciPy and scikit-learn.

Usage: fairness_repair.py Tests/FairnessTests/Golden/repair.json

Rows are drawn with SplitMix64, so that the test draws the same and only answers are stored.
"""

import json
import math
import sys
import warnings

import numpy
import pandas
from aif360.algorithms.postprocessing import (
    CalibratedEqOddsPostprocessing, RejectOptionClassification)
from aif360.datasets import BinaryLabelDataset
from fairlearn.postprocessing import ThresholdOptimizer
from scipy.optimize import linprog, minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

warnings.filterwarnings("ignore")
MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        return (self.next() * bound) >> 64


def rows(seed, count, groups, levels):
    """Scores with ties; positives score higher, and the groups differ in base rate and quality."""
    random = SplitMix64(seed)
    scores, labels, members = [], [], []
    for _ in range(count):
        group = random.below(groups)
        label = 1 if random.below(10) < 4 + group else 0
        score = random.below(levels) + label * random.below(levels // (2 + group))
        scores.append(score / (2 * levels))
        labels.append(label)
        members.append(group)
    return numpy.array(scores), numpy.array(labels), numpy.array(members)


def dataset(scores, labels, members, decisions=None):
    data = BinaryLabelDataset(
        df=pandas.DataFrame({"g": members.astype(float), "y": labels.astype(float)}),
        label_names=["y"], protected_attribute_names=["g"])
    data.scores = numpy.array(scores, dtype=float).reshape(-1, 1)
    if decisions is not None:
        data.labels = numpy.array(decisions, dtype=float).reshape(-1, 1)
    return data


def number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def mixing():
    hand = {
        "ordinary": ([.9, .6, .2, .1, .8, .7, .4, .3], [1, 1, 0, 0, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "other way": ([.8, .7, .4, .3, .9, .6, .2, .1], [1, 0, 1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "beyond 1": ([.9, .8, .1, .2, .1, .2, .9, .8], [1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "worse than trivial": ([.4, .4, .6, .6, .1, .2, .9, .8], [1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "constant scores": ([.5, .5, .5, .5, .1, .2, .9, .8], [1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "equal costs": ([.9, .6, .2, .1, .9, .6, .2, .1], [1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]),
        "one label": ([.9, .6, .2, .1, .9, .6], [1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1]),
    }
    cases = []
    for name, (scores, labels, members) in hand.items():
        for cost in ("fnr", "fpr", "weighted"):
            scores, labels, members = map(numpy.array, (scores, labels, members))
            post = CalibratedEqOddsPostprocessing(
                unprivileged_groups=[{"g": 0.0}], privileged_groups=[{"g": 1.0}],
                cost_constraint=cost, seed=1)
            post.fit(dataset(scores, labels, members), dataset(scores, labels, members, scores >= .5))
            cases.append({
                "name": f"{name}, {cost}", "cost": cost, "scores": scores.tolist(),
                "labels": labels.tolist(), "groups": members.tolist(),
                "mix": [number(post.unpriv_mix_rate), number(post.priv_mix_rate)]})
    return cases


def expected_labels():
    """The share of positive labels in 100000 draws of AIF360's prediction, by distinct score."""
    scores, labels, members = rows(6, 60, 2, 20)
    post = CalibratedEqOddsPostprocessing(
        unprivileged_groups=[{"g": 0.0}], privileged_groups=[{"g": 1.0}],
        cost_constraint="fnr", seed=None)
    post.fit(dataset(scores, labels, members), dataset(scores, labels, members, scores >= .5))
    repeats = 2000
    numpy.random.seed(7)
    many = dataset(numpy.tile(scores, repeats), numpy.tile(labels, repeats), numpy.tile(members, repeats))
    called = post.predict(many, threshold=0.35).labels.reshape(repeats, -1).mean(axis=0)
    return {"seed": 6, "count": 60, "levels": 20, "threshold": 0.35, "repeats": repeats,
            "shares": called.tolist()}


def odds():
    answers = {"youden": [], "error": []}
    for seed in range(1000):
        random = SplitMix64(seed)
        tables = [[1 + random.below(200) for _ in range(4)] for _ in range(2)]  # TP FP FN TN
        rates, total = [], sum(map(sum, tables))
        for tp, fp, fn, tn in tables:
            rates.append((tp / (tp + fn), fp / (fp + tn)))
        (t0, f0), (t1, f1) = rates
        equal = [[t0, 1 - t0, -t1, -(1 - t1)], [f0, 1 - f0, -f1, -(1 - f1)]]
        youden = []
        for t, f in rates:
            youden += [f - t, (1 - f) - (1 - t)]
        error, constant = [], 0
        for (t, f), (tp, fp, fn, tn) in zip(rates, tables):
            positives, negatives = (tp + fn) / total, (fp + tn) / total
            error += [negatives * f - 2 * positives * t, negatives * (1 - f) - 2 * positives * (1 - t)]
            constant += 2 * positives
        for name, cost, shift in (("youden", youden, 0), ("error", error, constant)):
            found = linprog(cost, A_eq=equal, b_eq=[0, 0], bounds=[(0, 1)] * 4, method="highs",
                            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
            answers[name].append(round(found.fun + shift, 12))
    return answers


class Scores(ClassifierMixin, BaseEstimator):
    def fit(self, x, y):
        self.classes_ = numpy.array([0, 1])
        return self

    def predict(self, x):
        return numpy.asarray(x)[:, 0]


def thresholds():
    names = {"selection-rate": "demographic_parity", "tpr": "true_positive_rate_parity",
             "fpr": "false_positive_rate_parity", "tnr": "true_negative_rate_parity",
             "fnr": "false_negative_rate_parity", "equalized-odds": "equalized_odds"}
    objectives = {"accuracy": "accuracy_score", "balanced-accuracy": "balanced_accuracy_score",
                  "selection-rate": "selection_rate", "tpr": "true_positive_rate",
                  "tnr": "true_negative_rate"}
    cases = []
    for seed, count, groups, levels in ((1, 300, 2, 10), (2, 400, 3, 200), (3, 150, 2, 1000)):
        scores, labels, members = rows(seed, count, groups, levels)
        for parity, constraint in names.items():
            for objective, metric in objectives.items():
                if parity == "equalized-odds" and objective not in ("accuracy", "balanced-accuracy"):
                    continue
                for tolerance in (0, 0.1):
                    if tolerance and (parity == "equalized-odds" or objective != "accuracy"):
                        continue
                    post = ThresholdOptimizer(
                        estimator=Scores().fit(None, None), constraints=constraint, objective=metric,
                        prefit=True, predict_method="predict", tol=tolerance or None)
                    post.fit(scores.reshape(-1, 1), labels, sensitive_features=members)
                    at = numpy.array([(k + 0.37) / 16 for k in range(16)])
                    found = [post._pmf_predict(at.reshape(-1, 1), sensitive_features=numpy.full(16, g))[:, 1]
                             for g in range(groups)]
                    cases.append({
                        "seed": seed, "count": count, "groups": groups, "levels": levels,
                        "parity": parity, "objective": objective, "tolerance": tolerance,
                        "probabilities": [[round(p, 12) for p in row] for row in found]})
    return cases


def rejects():
    metrics = {"statistical-parity": "Statistical parity difference",
               "average-odds": "Average odds difference",
               "equal-opportunity": "Equal opportunity difference"}
    cases = []
    for seed in (11, 12):
        scores, labels, members = rows(seed, 200, 2, 40)
        scores = numpy.where(members == 0, scores / 2, scores)  # one group is kept down
        for name, metric in metrics.items():
            post = RejectOptionClassification(
                unprivileged_groups=[{"g": 0.0}], privileged_groups=[{"g": 1.0}], metric_name=metric)
            post.fit(dataset(scores, labels, members), dataset(scores, labels, members, scores >= .5))
            cases.append({"seed": seed, "count": 200, "levels": 40, "metric": name,
                          "threshold": float(post.classification_threshold), "margin": float(post.ROC_margin)})
    return cases


def calibrations():
    scores, labels, _ = rows(21, 200, 2, 60)
    inside = numpy.clip(scores, 2.0 ** -52, 1 - 2.0 ** -52)
    odds = numpy.log(inside) - numpy.log(1 - inside)
    sigmoid = _SigmoidCalibration().fit(odds, labels)

    def loss(slope):
        return numpy.sum(numpy.logaddexp(0, slope * odds) - labels * slope * odds)

    slope = minimize_scalar(loss, bounds=(0.001, 20), method="bounded", options={"xatol": 1e-12}).x
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    at = [k / 20 for k in range(21)]
    return {"seed": 21, "count": 200, "levels": 60, "slope": slope,
            "platt": [float(-sigmoid.a_), float(-sigmoid.b_)], "at": at,
            "isotonic": isotonic.predict(at).tolist()}


with open(sys.argv[1], "w") as file:
    json.dump({"mixing": mixing(), "expected": expected_labels(), "odds": odds(),
               "thresholds": thresholds(), "rejects": rejects(), "calibrations": calibrations()},
              file, separators=(",", ":"))
    file.write("\n")
