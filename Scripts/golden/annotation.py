"""Makes Tests/FacesTests/Golden/annotation.json: rates and gaps of CelebA's real annotation.

Needs the annotation as CSV (not part of this repository; it is for non-commercial research), NumPy,
pandas and scikit-learn: python Scripts/golden/annotation.py list_attr_celeba.csv
"""

import json
import pathlib
import sys

import numpy
import pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

table = pandas.read_csv(sys.argv[1])
names = list(table.columns[1:])
rows = (table.iloc[:, 1:].values > 0).astype("uint8")
target, sex = names.index("Attractive"), names.index("Male")
others = [i for i in range(len(names)) if i != target]
men = rows[:, sex] == 1


def rates(predicted, truth, male):
    def share(mask):
        return round(float(predicted[mask].mean()), 4)

    return {
        "accuracy": round(float((predicted == truth).mean()), 4),
        "maleTPR": share(male & (truth == 1)), "femaleTPR": share(~male & (truth == 1)),
        "maleFPR": share(male & (truth == 0)), "femaleFPR": share(~male & (truth == 0)),
    }


order = numpy.random.default_rng(0).permutation(len(rows))
fit, test = rows[order[:130_000]], rows[order[130_000:]]
classifiers = {
    "logisticRegression": LogisticRegression(max_iter=200),
    "gradientBoosting": HistGradientBoostingClassifier(max_iter=150, random_state=0),
}
measured = {}
for name, model in classifiers.items():
    model.fit(fit[:, others], fit[:, target])
    measured[name] = rates(model.predict(test[:, others]), test[:, target], test[:, sex] == 1)

golden = {
    "names": names,
    "rates": [round(float(x), 5) for x in rows.mean(0)],
    "femaleRates": [round(float(x), 5) for x in rows[~men].mean(0)],
    "maleRates": [round(float(x), 5) for x in rows[men].mean(0)],
    "phi": [round(float(x), 4) for x in numpy.corrcoef(rows.T)[numpy.triu_indices(40, 1)]],
    **measured,
}
path = pathlib.Path(__file__).parents[2] / "Tests/FacesTests/Golden/annotation.json"
path.write_text(json.dumps(golden, indent=None).replace("], ", "],\n") + "\n")
