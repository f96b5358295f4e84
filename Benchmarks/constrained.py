"""Compression under limits beside what one would do without: the same bytes, the same test rows.

    python Benchmarks/constrained.py MODEL DATA OUT [--drift 0.02] [--drop 0.01] [--budgets 5.64 4.26 2.85]
        [--tune-rows 12800] [--only NAME ...]

MODEL is a float model of `equant train` on DATA, a folder in CelebA's layout. For every budget in MB:

    plain        k-means with the same number of clusters everywhere (16, 8 or 4)
    threshold    the same file with one shift of the margin for everybody, which restores the share
                 of positive decisions on validation
    accuracy     chosen by --max-accuracy-drop alone
    limits       chosen under all limits
    tuned        the same, and tuned
    uniform+tune plain, tuned without limits

Everything is fitted on train and validation. The table is about the test split: for each file the
bytes, and against the float model the change of accuracy, the drift of both gaps, and the largest
loss of a group, each with its 95 % interval, as `equant compare` prints them. Files that are there
already are not made again; OUT/table.md and OUT/table.json have the table.
"""

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import time

EQUANT = os.environ.get("EQUANT", ".build/release/equant")
GAPS = ["equalOpportunity", "fprDifference"]


def equant(*arguments, accepted=(0,)):
    """Standard output of a command that ends with one of the `accepted` statuses."""
    result = subprocess.run([EQUANT, *arguments], capture_output=True, text=True)
    if result.returncode not in accepted:
        raise SystemExit(f"equant {' '.join(arguments)}: {result.stderr}")
    return result


def rows(path):
    """Header and rows of a file of predictions."""
    with open(path, newline="") as file:
        lines = list(csv.reader(file))
    return lines[0], lines[1:]


def shifted(header, lines, shift):
    """The same predictions with `shift` added to every logit."""
    column = header.index("score")
    changed = []
    for line in lines:
        score = min(max(float(line[column]), 1e-12), 1 - 1e-12)
        moved = 1 / (1 + math.exp(-(math.log(score / (1 - score)) + shift)))
        changed.append([*line[:column], repr(moved), *line[column + 1 :]])
    return changed


def fitted_shift(base, other):
    """What restores the share of positive decisions."""
    header, lines = rows(base)
    column = header.index("score")
    positives = sum(float(line[column]) >= 0.5 for line in lines)
    scores = sorted((float(line[header.index("score")]) for line in rows(other)[1]), reverse=True)
    border = min(max(scores[min(positives, len(scores) - 1)], 1e-12), 1 - 1e-12)
    return -math.log(border / (1 - border))


def percent(change):
    """A change with its interval, in points."""
    if change is None or change.get("value") is None:
        return "undefined"
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * change[k] for k in ("value", "low", "high")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--drift", default="0.02")
    parser.add_argument("--drop", default="0.01")
    parser.add_argument("--budgets", nargs="+", type=float, default=[5.64, 4.26, 2.85])
    parser.add_argument("--tune-rows", default="12800")
    parser.add_argument("--only", nargs="+")
    given = parser.parse_args()
    os.makedirs(given.out, exist_ok=True)

    def path(name):
        return os.path.join(given.out, name)

    def predict(model, name):
        for split in ("validation", "test"):
            if not os.path.exists(path(f"{name}.{split}.csv")):
                equant("predict", model, "--data", given.data, "--split", split,
                       "--out", path(f"{name}.{split}.csv"), "--quiet")

    predict(given.model, "base")
    drift = [o for gap in GAPS for o in ("--max-drift", f"{gap}={given.drift}")]
    limits = [*drift, "--max-accuracy-drop", given.drop]
    tune = ["--tune", "1", "--tune-rows", given.tune_rows, "--data", given.data]
    table = []
    for budget, clusters in zip(given.budgets, (16, 8, 4)):
        search = ["--data", given.data, "--budget", f"{budget}MB"]
        kinds = {
            "plain": ["--scheme", f"kmeans:{clusters}"],
            "threshold": None,
            "accuracy": [*search, "--max-accuracy-drop", given.drop],
            "limits": [*search, *limits],
            "tuned": [*search, *limits, *tune[:4]],
            "uniform+tune": ["--scheme", f"kmeans:{clusters}", *tune],
        }
        for kind, options in kinds.items():
            if given.only and kind not in given.only:
                continue
            name = f"{kind}-{clusters}"
            model, report = path(f"{name}.onnx"), path(f"{name}.json")
            verdict, seconds = "", 0.0
            if kind == "threshold":
                predict(path(f"plain-{clusters}.onnx"), f"plain-{clusters}")
                shift = fitted_shift(
                    path("base.validation.csv"), path(f"plain-{clusters}.validation.csv"))
                header, lines = rows(path(f"plain-{clusters}.test.csv"))
                with open(path(f"{name}.test.csv"), "w", newline="") as file:
                    csv.writer(file).writerows([header, *shifted(header, lines, shift)])
                model = path(f"plain-{clusters}.onnx")
            else:
                if not os.path.exists(report) and not (
                    kind == "plain" and os.path.exists(model)):
                    # All searches share one table.
                    if "--budget" in options and os.path.exists(path("deltas")):
                        shutil.copy(path("deltas"), f"{model}.deltas")
                    start = time.time()
                    result = equant("compress", given.model, "--out", model, *options,
                                    "--format", "json", "--quiet", accepted=(0, 2))
                    seconds = time.time() - start
                    with open(report, "w") as file:
                        file.write(result.stdout)
                    if os.path.exists(f"{model}.deltas"):
                        shutil.move(f"{model}.deltas", path("deltas"))
                if os.path.exists(report):
                    found = json.load(open(report))
                    if found.get("isFeasible") is False:
                        verdict = f"infeasible: {found['binding']}"
                    elif "isFeasible" in found:
                        verdict = "feasible"
                if verdict.startswith("infeasible"):
                    table.append({"kind": name, "bytes": found["bytes"], "verdict": verdict,
                                  "seconds": seconds, "verification": found["verification"],
                                  "selection": found["selection"]})
                    print(json.dumps(table[-1]), flush=True)
                    continue
                predict(model, name)
            compared = json.loads(
                equant("compare", path("base.test.csv"), path(f"{name}.test.csv"),
                       "--format", "json").stdout)
            accuracy = compared["changes"]["accuracy"]
            groups = [change for change in accuracy if change["group"] != "all"]
            table.append({
                "kind": name, "bytes": os.path.getsize(model), "verdict": verdict,
                "seconds": seconds, "accuracy": next(c for c in accuracy if c["group"] == "all"),
                "drift": {gap: compared["drift"][gap] for gap in GAPS},
                "worstGroup": min(groups, key=lambda c: c["value"]),
            })
            print(json.dumps(table[-1]), flush=True)
    with open(path("table.json"), "w") as file:
        json.dump(table, file, indent=1)
    with open(path("table.md"), "w") as file:
        file.write("| file | bytes | verdict | accuracy | drift of EO | drift of FPR | worst group |\n"
                   "|---|---|---|---|---|---|---|\n")
        for row in table:
            cells = ([percent(row["accuracy"]), *(percent(row["drift"][gap]) for gap in GAPS),
                      percent(row["worstGroup"])] if "accuracy" in row else ["-"] * 4)
            file.write(f"| {row['kind']} | {row['bytes']} | {row['verdict']} | "
                       + " | ".join(cells) + " |\n")


main()
