"""Writes the goldens of the range estimators: Tests/CompressionTests/Golden/observers.json.

The tensors come from a counting generator that the tests repeat, so that only its settings are
stored. PyTorch's observers give the expected ranges, scales and zero points; the entropy search is
a plain NumPy version of S. Migacz, "8-bit inference with TensorRT", GTC 2017.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import torch
from torch.ao.quantization import observer

warnings.filterwarnings("ignore")

MASK = (1 << 64) - 1


def uniform(seed, count):
    """The numbers of the package's SplitMix64, as float64 in [0, 1)."""
    state, values = seed, np.empty(count)
    for i in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        values[i] = ((z ^ (z >> 31)) >> 11) * 2.0**-53
    return values


def draw(shape, seed, count, scale, offset):
    """Values of one batch; only exactly rounded operations, so every platform has the same."""
    u = uniform(seed, count * 4).reshape(4, count)
    if shape == "bell":  # a sum of uniforms
        x = u[0] + u[1] + u[2] + u[3] - 2
    elif shape == "heavy":  # a long right and left tail
        x = (u[0] - 0.5) / (u[1] * u[2] + 0.02)
    elif shape == "relu":
        x = np.maximum(u[0] + u[1] + u[2] + u[3] - 2, 0)
    elif shape == "relu-heavy":
        x = np.maximum((u[0] - 0.5) / (u[1] * u[2] + 0.01), 0)
    elif shape == "constant":
        x = np.ones(count)
    elif shape == "uniform":
        x = u[0]
    x = (x * scale + offset).astype(np.float32)
    return np.maximum(x, np.float32(0)) if shape.startswith("relu") else x


CASES = {
    "one batch, bell": ("bell", [(1, 4000, 1.0, 0.0)]),
    "one batch, after a relu": ("relu", [(2, 4000, 3.0, 0.0)]),
    "heavy tails": ("heavy", [(3, 6000, 1.0, 0.1)]),
    "heavy tails after a relu": ("relu-heavy", [(4, 6000, 0.5, 0.0)]),
    "range grows on both sides": ("bell", [(5, 3000, 0.7, 0.1), (6, 3000, 1.0, 0.0), (7, 3000, 2.5, -0.3)]),
    "range grows on the right": ("relu-heavy", [(8, 3000, 0.2, 0.0), (9, 3000, 1.0, 0.0), (10, 3000, 0.7, 0.0), (11, 3000, 4.0, 0.0)]),
    "range grows twentyfold": ("heavy", [(12, 2000, 0.05, 0.0), (13, 4000, 1.0, 0.2)]),
    "range stays": ("bell", [(14, 4000, 2.0, 0.0), (15, 4000, 1.0, 0.0), (16, 4000, 0.5, 0.5)]),
    "all positive, away from zero": ("uniform", [(17, 3000, 2.0, 5.0), (18, 3000, 3.0, 4.5)]),
    "all negative": ("uniform", [(19, 3000, 2.0, -7.0)]),
    "constant": ("constant", [(20, 100, 1.5, 0.0)]),
    "constant, then more": ("constant-bell", [(21, 100, 0.25, 0.0), (22, 3000, 1.0, 0.0)]),
    "all zero": ("constant", [(23, 100, 0.0, 0.0)]),
    "tiny values": ("bell", [(24, 3000, 1e-6, 0.0)]),
    "large values": ("heavy", [(25, 3000, 1e4, 0.0), (26, 3000, 3e4, 0.0)]),
    "many values in one bin": ("relu-heavy", [(27, 30000, 1.0, -1.0), (28, 30000, 1.0, -1.0)]),
}


def batches(name):
    shape, parts = CASES[name]
    shapes = shape.split("-") if shape == "constant-bell" else [shape] * len(parts)
    return shapes, [draw(s, *p) for s, p in zip(shapes, parts)], parts


def parameters(kind, data, **settings):
    made = kind(**settings)
    for batch in data:
        made(torch.from_numpy(batch))
    scale, zero = made.calculate_qparams()
    return {"scale": float(scale.reshape(-1)[0]), "zeroPoint": int(zero.reshape(-1)[0])}


def entropy(data, bins=2048, levels=128):
    """The magnitude that minimises the KL divergence after clipping and requantising."""
    x = np.abs(np.concatenate(data).astype(np.float64))
    top = x.max()
    histogram = np.histogram(x, bins, (0, top))[0].astype(np.float64)
    histogram[0] = histogram[1]
    best = (np.inf, bins)
    for kept in range(levels, bins + 1):
        p = histogram[:kept].copy()
        q = np.zeros(kept)
        edges = [i * kept // levels for i in range(levels + 1)]
        for low, high in zip(edges, edges[1:]):
            live = p[low:high] > 0
            if live.any():
                q[low:high][live] = p[low:high].sum() / live.sum()
        p[-1] += histogram[kept:].sum()
        if p.sum() == 0 or q.sum() == 0:
            continue
        p, q = p / p.sum(), q / q.sum()
        live = p > 0
        divergence = np.sum(p[live] * np.log(p[live] / np.maximum(q[live], 1e-10)))
        best = min(best, (divergence, kept))
    return float(best[1] / bins * top)


rows = []
for name in CASES:
    shapes, data, parts = batches(name)
    everything = np.concatenate(data)
    affine = {"dtype": torch.quint8, "qscheme": torch.per_tensor_affine}
    symmetric = {"dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric}
    histogram = observer.HistogramObserver(**affine)
    for batch in data:
        histogram(torch.from_numpy(batch))
    low, high = histogram._non_linear_param_search()
    row = {
        "name": name,
        "batches": [
            {"shape": s, "seed": p[0], "count": p[1], "scale": p[2], "offset": p[3]}
            for s, p in zip(shapes, parts)
        ],
        "checksum": float(sum(b.astype(np.float64).sum() for b in data)),
        "minMax": parameters(observer.MinMaxObserver, data, **affine),
        "minMaxSymmetric": parameters(observer.MinMaxObserver, data, **symmetric),
        "minMaxReduced": parameters(observer.MinMaxObserver, data, reduce_range=True, **affine),
        "movingAverage": parameters(observer.MovingAverageMinMaxObserver, data, **affine),
        "histogram": parameters(observer.HistogramObserver, data, **affine),
        "histogramReduced": parameters(observer.HistogramObserver, data, reduce_range=True, **affine),
        "histogramRange": [float(low), float(high)],
        "histogramTotal": float(histogram.histogram.sum()),
        "percentile": [float(v) for v in np.percentile(everything.astype(np.float64), [0.05, 99.95])],
        "binWidth": float(everything.max() - everything.min()) / 2048,
        "entropy": entropy(data) if everything.min() >= 0 and np.ptp(everything) > 0 and len(data) == 1 else None,
    }
    rows.append(row)

# Weights, per output channel.
weights = draw("bell", 99, 6 * 20, 0.3, 0.0).reshape(6, 20)
weights[2] = 0
per_channel = observer.PerChannelMinMaxObserver(ch_axis=0, dtype=torch.qint8, qscheme=torch.per_channel_symmetric)
per_channel(torch.from_numpy(weights))
scale, zero = per_channel.calculate_qparams()
quantized = torch.quantize_per_channel(torch.from_numpy(weights), scale, zero, 0, torch.qint8)
channels = {
    "values": [float(v) for v in weights.reshape(-1)],
    "scales": [float(v) for v in scale],
    "integers": [int(v) for v in quantized.int_repr().reshape(-1)],
}

folder = pathlib.Path(__file__).resolve().parents[2] / "Tests/CompressionTests/Golden"
golden = {"torch": torch.__version__.split("+")[0], "tensors": rows, "weights": channels}
(folder / "observers.json").write_text(json.dumps(golden, indent=1) + "\n")
print(f"{len(rows)} tensors, PyTorch {torch.__version__}", file=sys.stderr)
