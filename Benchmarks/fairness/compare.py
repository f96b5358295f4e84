"""Times Equant, Fairlearn and AIF360 on the same work in one run and prints ratios.

Usage: compare.py PATH-TO-EQUANT [rows [groups ...]]

Both run in one go on the same machine: a ratio means more than a time. At 10 million rows
Fairlearn takes minutes. Fairlearn gets the four metrics of its quick start, AIF360 the difference of average odds;
Equant computes its whole table of decisions (14 measures, 17 gaps and 9 ratios with intervals).
"""

import json
import subprocess
import sys
import time
import warnings

import numpy
import pandas

warnings.filterwarnings("ignore")
from fairlearn.metrics import (
    MetricFrame, false_positive_rate, selection_rate, true_positive_rate)
from sklearn.metrics import accuracy_score

equant = sys.argv[1]
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
counts = [int(count) for count in sys.argv[3:]] or [2, 50]
random = numpy.random.default_rng(1)
label = random.integers(0, 2, rows)
decision = (random.random(rows) >= 0.5).astype(int)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fairlearn(groups):
    frame = MetricFrame(
        metrics={"accuracy": accuracy_score, "tpr": true_positive_rate,
                 "fpr": false_positive_rate, "selection": selection_rate},
        y_true=label, y_pred=decision, sensitive_features=groups)
    return frame.by_group, frame.difference()


def aif360(groups):
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric
    true = BinaryLabelDataset(
        df=pandas.DataFrame({"g": (groups > 0).astype(float), "y": label.astype(float)}),
        label_names=["y"], protected_attribute_names=["g"])
    predicted = true.copy()
    predicted.labels = decision.reshape(-1, 1).astype(float)

    def work():
        metric = ClassificationMetric(
            true, predicted, unprivileged_groups=[{"g": 0.0}], privileged_groups=[{"g": 1.0}])
        return (metric.average_odds_difference(), metric.statistical_parity_difference(),
                metric.accuracy(privileged=True), metric.accuracy(privileged=False))

    return work


ours = json.loads(subprocess.run(
    [equant, "bench-fairness", "--rows", str(rows)], check=True, capture_output=True, text=True
).stdout)
for count in counts:
    groups = random.integers(0, count, rows)
    mine = ours[f"audit_{count}_groups"]
    theirs = timed(lambda: fairlearn(groups))
    print(f"{rows} rows, {count} groups: equant {mine * 1000:.1f} ms, "
          f"Fairlearn {theirs:.2f} s, {theirs / mine:.0f} x")
    if count == 2:
        work = aif360(groups)
        theirs = timed(work)
        print(f"{rows} rows, {count} groups: equant {mine * 1000:.1f} ms, "
              f"AIF360 {theirs:.2f} s (its data set not counted), {theirs / mine:.0f} x")
print(f"audit with AUC, calibration and Brier: {ours['audit_2_groups_with_scores']:.2f} s")
print(f"1000 paired resamples of all gaps, 1000000 rows: {ours['paired_bootstrap_1000']:.2f} s")
