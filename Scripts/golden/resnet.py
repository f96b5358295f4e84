"""Writes Tests/GraphsTests/Golden/resnet.json and its copy for Execution's tests.

torchvision's ResNets with two classes, formula.py's weights and images, evaluation mode: logits,
and the mean and mean square of what each stage gives, computed in float64.
Run: python Scripts/golden/resnet.py (torch, torchvision, numpy)
"""

import json
import pathlib

import torch
import torchvision

from formula import fill, images

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPE = [2, 3, 64, 64]


def golden(name: str) -> dict:
    model = fill(torchvision.models.get_model(name, weights=None, num_classes=2)).eval().double()
    stages = {}

    def record(stage):
        def hook(_module, _inputs, output):
            stages[stage] = {
                "shape": list(output.shape),
                "mean": output.mean().item(),
                "meanSquare": output.square().mean().item(),
            }

        return hook

    for stage in ["maxpool", "layer1", "layer2", "layer3", "layer4"]:
        getattr(model, stage).register_forward_hook(record(stage))
    with torch.no_grad():
        logits = model(torch.from_numpy(images(SHAPE)).double())
    state = model.state_dict()
    return {
        "network": name,
        "input": SHAPE,
        "logits": logits.flatten().tolist(),
        "stages": stages,
        "parameters": {
            key: list(tensor.shape)
            for key, tensor in state.items()
            if not key.endswith("num_batches_tracked")
        },
    }


text = json.dumps([golden(f"resnet{depth}") for depth in (18, 34, 50)], separators=(",", ":"))
for room in ("Graphs", "Execution"):
    (ROOT / f"Tests/{room}Tests/Golden/resnet.json").write_text(text + "\n")
