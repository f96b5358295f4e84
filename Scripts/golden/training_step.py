"""Writes Tests/ExecutionTests/Golden/training-step.json.

torchvision's ResNets with two classes, formula.py's weights and images, training mode: logits,
loss, gradients and running statistics of the first step, then losses and parameters of three
steps of SGD, all in float64. Of each tensor: its norm, its products with two formula vectors
(which see errors anywhere in it), and a few elements.

A ReLU's gradient jumps where its argument is zero: one argument of a million that rounding moves
over zero changes gradients by up to 1 %. So the images are chosen, out of several tries, to keep
all arguments as far from zero as can be. ResNet-50 has too many arguments for that: there the
normalizations' biases are raised by `shift`, so that few arguments come near zero.
Run: python Scripts/golden/training_step.py (torch, torchvision, numpy)
"""

import json
import math
import pathlib

import numpy as np
import torch
import torchvision

from formula import fill, images, uniform

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABELS = [0, 1, 1, 0]
SGD = {"momentum": 0.9, "weight_decay": 1e-3}


def described(name: str, tensor) -> dict:
    values = tensor.detach().double().numpy().reshape(-1)
    places = [int((uniform(f"{name}.place{i}", 1)[0] + 1) / 2 * len(values)) for i in range(4)]
    return {
        "norm": round(float(np.linalg.norm(values)), 12),
        "products": [
            float(f"{values @ uniform(f'{name}.check{i}', len(values)):.9g}") for i in range(2)
        ],
        "elements": {str(place): float(f"{values[place]:.9g}") for place in places},
    }


def filled(network: str, shift: float):
    model = fill(torchvision.models.get_model(network, weights=None, num_classes=2)).double()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # The sum that float32 parameters have.
                module.bias.copy_((module.bias.float() + shift).double())
    return model.train()


def margin(network: str, shape: list, name: str, shift: float) -> float:
    """How near to zero any ReLU's argument comes in the first step."""
    model = filled(network, shift)
    nearest = [math.inf]

    def record(_module, inputs):
        nearest[0] = min(nearest[0], inputs[0].abs().min().item())

    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(record)
            module.inplace = False
    with torch.no_grad():
        model(torch.from_numpy(images(shape, name)).double())
    return nearest[0]


def golden(network: str, size: int, nesterov: bool, rate: float, tries: int, shift: float = 0) -> dict:
    shape = [len(LABELS), 3, size, size]
    margins = {f"input{i}": margin(network, shape, f"input{i}", shift) for i in range(tries)}
    name = max(margins, key=margins.get)
    print(network, size, name, margins[name])
    model = filled(network, shift)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, **SGD, nesterov=nesterov)
    inputs = torch.from_numpy(images(shape, name)).double()
    labels = torch.tensor(LABELS)
    result = {"network": network, "input": shape, "images": name, "labels": LABELS}
    result |= {"nesterov": nesterov, "rate": rate, "shift": shift}
    losses = []
    for step in range(3):
        optimiser.zero_grad()
        logits = model(inputs)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            result["logits"] = logits.flatten().tolist()
            result["gradientNorm"] = torch.sqrt(
                sum(p.grad.square().sum() for p in model.parameters())
            ).item()
            result["gradients"] = {n: described(n, p.grad) for n, p in model.named_parameters()}
            result["statistics"] = {
                n: described(n, b) for n, b in model.named_buffers() if "num" not in n
            }
        optimiser.step()
    result["losses"] = losses
    if network == "resnet18":
        result["parameters"] = {n: described(n, p) for n, p in model.named_parameters()}
    return result


if __name__ == "__main__":
    cases = [
        golden("resnet18", 48, True, 0.01, 40),
        golden("resnet18", 45, False, 0.01, 40),
        golden("resnet50", 48, False, 1e-3, 4, shift=2),
    ]
    path = ROOT / "Tests/ExecutionTests/Golden/training-step.json"
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
