"""Makes Tests/CompressionTests/Golden/kmeans.json: the costs of kmeans1d on small and middling sets.

Needs NumPy and kmeans1d. Values are drawn as float32, so that the tests read the same numbers.
"""

import json
import pathlib

import kmeans1d
import numpy

cases = []
random = numpy.random.default_rng(4)
for count in (3, 12, 40, 150):
    for kind in ("normal", "uniform", "heavy", "ties"):
        if kind == "normal":
            values = random.standard_normal(count) * 0.02 + 1
        elif kind == "uniform":
            values = random.uniform(-1, 1, count)
        elif kind == "heavy":
            values = random.standard_t(2, count)
        else:
            values = random.integers(-3, 4, count) * 0.25
        values = values.astype(numpy.float32)
        for k in (2, 3, 5, 16):
            distinct = len(set(values.tolist()))
            labels, centers = kmeans1d.cluster([float(v) for v in values], min(k, distinct))
            cost = sum((float(v) - centers[label]) ** 2 for v, label in zip(values, labels))
            cases.append(
                {"name": f"{kind} {count} k {k}", "values": [float(v) for v in values], "k": k,
                 "cost": cost, "centers": sorted(centers)})
path = pathlib.Path(__file__).parents[2] / "Tests/CompressionTests/Golden/kmeans.json"
path.write_text(json.dumps(cases) + "\n")
print(path, len(cases), "cases", path.stat().st_size, "bytes")
