"""Writes small files of other makers, and what they compute, into Tests/GraphsTests/Golden.

A tiny residual network as PyTorch's exporter writes it (evaluation, training preserved, half
precision), its int8 form as ONNX Runtime quantizes it, its weights as safetensors writes them, and
the logits that torch and ONNX Runtime (no graph optimisation) compute.
Run: python Scripts/golden/onnx_files.py (torch, onnx, onnxruntime, safetensors, numpy)
"""

import json
import pathlib
import tempfile

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from safetensors.torch import save_file
from torch import nn

from formula import fill, images
from runtime import Calibration, run

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/GraphsTests/Golden"
SHAPE = [2, 3, 16, 16]


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=(1, 2), dilation=(1, 2), groups=4)
        self.bn2 = nn.BatchNorm2d(8)
        self.avgpool = nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False, padding=1)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.relu(self.bn2(self.conv2(x)) + x)
        x = self.gap(self.avgpool(x))
        return self.fc(torch.flatten(x, 1))


def export(model, path, training, dtype=torch.float32):
    torch.onnx.export(
        model.to(dtype), torch.from_numpy(images(SHAPE)).to(dtype), path, dynamo=False,
        opset_version=17, input_names=["input"], output_names=["logits"], training=training,
        dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
        do_constant_folding=training == torch.onnx.TrainingMode.EVAL)


model = fill(Tiny()).eval()
with torch.no_grad():
    logits = model.double()(torch.from_numpy(images(SHAPE)).double()).flatten().tolist()
mode = torch.onnx.TrainingMode
export(model, GOLDEN / "tiny-eval.onnx", mode.EVAL)
export(model, GOLDEN / "tiny-preserved.onnx", mode.PRESERVE)
save_file(model.state_dict(), GOLDEN / "tiny.safetensors", metadata={"made by": "safetensors"})
quantize_static(
    GOLDEN / "tiny-eval.onnx", GOLDEN / "tiny-int8.onnx", Calibration(SHAPE),
    quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
    weight_type=QuantType.QInt8)
# Exporting in training mode runs the model once, which moves its running statistics.
training = fill(Tiny()).eval()
export(training, GOLDEN / "tiny-training.onnx", mode.TRAINING)
with torch.no_grad():
    training_logits = training.eval().double()(
        torch.from_numpy(images(SHAPE)).double()).flatten().tolist()
half = fill(Tiny()).eval()
with torch.no_grad():
    for tensor in half.state_dict().values():
        tensor.copy_(tensor.half())
    half_logits = half.double()(torch.from_numpy(images(SHAPE)).double()).flatten().tolist()
export(half, GOLDEN / "tiny-half.onnx", mode.PRESERVE, torch.float16)

# The same numbers in the other fields that a file may hold them in.
typed = onnx.load(GOLDEN / "tiny-int8.onnx")
for tensor in typed.graph.initializer:
    array = onnx.numpy_helper.to_array(tensor)
    field = "float_data" if array.dtype == np.float32 else "int32_data"
    tensor.ClearField("raw_data")
    getattr(tensor, field)[:] = array.flatten().tolist()
    typed.graph.input.append(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, array.shape))
onnx.save(typed, GOLDEN / "tiny-typed.onnx")

(GOLDEN / "onnx-files.json").write_text(json.dumps({
    "input": SHAPE,
    "logits": {
        "tiny-eval": logits,
        "tiny-preserved": logits,
        "tiny-training": training_logits,
        "tiny-half": half_logits,
        "tiny-int8": run(GOLDEN / "tiny-int8.onnx", SHAPE),
        "tiny-typed": run(GOLDEN / "tiny-typed.onnx", SHAPE),
    },
}, indent=1) + "\n")
