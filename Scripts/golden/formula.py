"""The numbers of Tests/GraphReference/FormulaWeights.swift, in NumPy: goldens need hold no weights."""

import math

import numpy as np

MASK = (1 << 64) - 1


def uniform(name: str, count: int) -> np.ndarray:
    """u in [-1, 1) for every element, in float64: SplitMix64 seeded with FNV-1a of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    step = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = step + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return 2 * ((z >> np.uint64(11)).astype(np.float64) * 2.0**-53) - 1


def parameter(name: str, shape) -> np.ndarray:
    """A network's parameter in float32: its torchvision name and its shape decide its spread."""
    shape = tuple(shape)
    fan_in = math.prod(shape[1:])
    last = name.split(".")[-1]
    if len(shape) == 4:
        centre, spread = 0, math.sqrt(6 / fan_in)
    elif len(shape) == 2:
        centre, spread = 0, 1 / math.sqrt(fan_in)
    elif last == "running_var":
        centre, spread = 1, 0.5
    elif last in ("running_mean", "bias"):
        centre, spread = 0, 0.1
    else:
        centre, spread = 0.8, 0.2
    return (centre + spread * uniform(name, math.prod(shape))).astype(np.float32).reshape(shape)


def images(shape, name: str = "input") -> np.ndarray:
    """Images from -2 to 2, in float32."""
    return (2 * uniform(name, math.prod(shape))).astype(np.float32).reshape(shape)


def fill(model):
    """Sets every parameter and running statistic of a torch module; returns the module."""
    import torch

    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(torch.from_numpy(parameter(name, tensor.shape)))
    return model
