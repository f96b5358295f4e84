"""Writes the exported networks of Tests/ExecutionTests/Golden and what PyTorch trains of them.

Small networks of torchvision's blocks (MobileNetV2's inverted residuals with ReLU6, residual blocks,
squeeze and excitation with SiLU), with formula.py's weights, exported with training preserved, and
the residual one with its batch norms folded too: the gradients of the first step, running
statistics, and the losses of three steps of SGD, in float64. Of several images those are taken
that keep all arguments of ReLU and ReLU6 farthest from where their gradients jump.
Run: python Scripts/golden/exported_training.py (torch, torchvision, onnx, numpy)
"""

import copy
import json
import math
import warnings

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock
from torchvision.ops.misc import Conv2dNormActivation

from formula import fill, images
from training_step import LABELS, ROOT, SGD, described

SHAPE = [len(LABELS), 3, 16, 16]
warnings.filterwarnings("ignore")


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)]


def mobile():
    return nn.Sequential(
        Conv2dNormActivation(3, 8, 3, 2, activation_layer=nn.ReLU6), InvertedResidual(8, 8, 1, 2),
        InvertedResidual(8, 16, 2, 3), *head(16))


def residual():
    down = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
    return nn.Sequential(
        Conv2dNormActivation(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1), BasicBlock(8, 8),
        BasicBlock(8, 16, 2, down), *head(16))


def squeezing():
    block = MBConv(MBConvConfig(2, 3, 1, 8, 8, 1), 0, nn.BatchNorm2d)
    return nn.Sequential(
        Conv2dNormActivation(3, 8, 3, 2, activation_layer=nn.SiLU), block, *head(8))


def folded(model):
    model = copy.deepcopy(model).eval()
    for part in model.modules():
        if isinstance(part, nn.Sequential):
            for i, (a, b) in enumerate(zip(list(part)[:-1], list(part)[1:])):
                if isinstance(a, nn.Conv2d) and isinstance(b, nn.BatchNorm2d):
                    part[i], part[i + 1] = fuse_conv_bn_eval(a, b), nn.Identity()
        if isinstance(part, BasicBlock):
            part.conv1, part.bn1 = fuse_conv_bn_eval(part.conv1, part.bn1), nn.Identity()
            part.conv2, part.bn2 = fuse_conv_bn_eval(part.conv2, part.bn2), nn.Identity()
    return model.requires_grad_(True)


def margin(model, inputs):
    nearest = [math.inf]

    def record(module, given):
        bounds = [0, 6] if isinstance(module, nn.ReLU6) else [0]
        for bound in bounds:
            nearest[0] = min(nearest[0], (given[0] - bound).abs().min().item())

    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.register_forward_pre_hook(record)
            module.inplace = False
    with torch.no_grad():
        model(inputs)
    return nearest[0]


def golden(name, model, export, tries=200):
    torch.onnx.export(
        model, (torch.zeros(SHAPE),), str(ROOT / f"Tests/ExecutionTests/Golden/{name}.onnx"),
        input_names=["input"], output_names=["logits"], dynamo=False, opset_version=17,
        dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}}, **export)
    model = copy.deepcopy(model).double()
    model = folded(model) if "folded" in name else model.train()

    def batch(i):
        return torch.from_numpy(images(SHAPE, f"input{i}")).double()

    best = max(range(tries), key=lambda i: margin(model, batch(i)))
    print(name, best, margin(model, batch(best)))
    order = []
    for part, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            module.register_forward_hook(
                lambda module, _given, _result, part=part: order.extend(
                    f"{part}.{n}" for n, _ in module.named_parameters()))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, **SGD)
    result = {"network": name, "input": SHAPE, "images": f"input{best}", "labels": LABELS}
    losses = []
    for step in range(3):
        optimiser.zero_grad()
        logits = model(batch(best))
        loss = nn.functional.cross_entropy(logits, torch.tensor(LABELS))
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            result["order"] = list(order)
            result["logits"] = logits.flatten().tolist()
            result["gradients"] = {n: described(n, p.grad) for n, p in model.named_parameters()}
            result["statistics"] = {
                n: described(n, b) for n, b in model.named_buffers() if "num" not in n}
        optimiser.step()
    return result | {"losses": losses}


PRESERVED = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
if __name__ == "__main__":
    cases = []
    for name, make in [("mobile", mobile), ("residual", residual), ("squeezing", squeezing)]:
        model = fill(make()).eval()
        cases.append(golden(name, model, PRESERVED))
    cases.append(golden("residual-folded", fill(residual()).eval(), {}))
    path = ROOT / "Tests/ExecutionTests/Golden/exported-training.json"
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
