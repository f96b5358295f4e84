"""Exact one-dimensional k-means of a ResNet-18's weights: Equant and kmeans1d.

The largest tensor with 16 clusters by both, in turn; then all tensors by Equant (clustering, codes
and decoding, as `equant compress --scheme kmeans:16` does them). EQUANT_MODEL is a float model of
'equant train'; by default one is trained for one step on a few drawn portraits.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time

import kmeans1d
import numpy
import onnx
from onnx import numpy_helper

EQUANT = os.path.abspath(os.environ.get("EQUANT", ".build/release/equant"))
CLUSTERS, TURNS = 16, int(os.environ.get("TURNS", 3))


def main():
    model = os.environ.get("EQUANT_MODEL")
    with tempfile.TemporaryDirectory() as folder:
        if not model:
            model = os.path.join(folder, "model.onnx")
            faces = os.path.join(folder, "faces")
            for command in (["portraits", "--out", faces, "--count", "200", "--size", "89x109"],
                            ["train", "--data", faces, "--out", model, "--epochs", "1"]):
                subprocess.run([EQUANT, *command, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        tensors = sorted(onnx.load(model).graph.initializer, key=lambda t: t.name)
        largest = max((numpy_helper.to_array(t) for t in tensors), key=lambda t: t.size).ravel()
        ours, theirs, whole = [], [], []
        for _ in range(TURNS):
            found = json.loads(subprocess.run(
                [EQUANT, "bench-clustering", model, "--clusters", str(CLUSTERS)],
                check=True, capture_output=True).stdout)
            ours.append(found["largestSeconds"])
            whole.append(found["allSeconds"])
            start = time.perf_counter()
            labels, centers = kmeans1d.cluster(largest, CLUSTERS)
            theirs.append(time.perf_counter() - start)
        values = largest.astype(numpy.float64)
        cost = float(((values - numpy.array(centers)[labels]) ** 2).sum())
        print(f"largest tensor, {len(largest)} weights, {CLUSTERS} clusters")
        print(f"  kmeans1d  {statistics.median(theirs):7.3f} s  cost {cost:.12g}")
        print(f"  Equant    {statistics.median(ours):7.3f} s  cost {found['cost']:.12g}"
              f"  {statistics.median(theirs) / statistics.median(ours):.1f} times faster")
        print(f"all {found['tensors']} tensors: {statistics.median(whole):.2f} s")


main()
