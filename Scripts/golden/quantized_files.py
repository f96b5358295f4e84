"""Writes small int8 files of other makers, and what they compute, into Tests/GraphsTests/Golden.

A tiny network with a depthwise convolution as NNCF quantizes it, with a scale for each channel of
some activations, and as PyTorch's quantized modules are exported; the logits are ONNX Runtime's,
without graph optimisation.
Run: python Scripts/golden/quantized_files.py (torch, onnx, onnxruntime, nncf, numpy)
"""

import json
import pathlib
import tempfile
import warnings

import nncf
import onnx
import torch
from torch import nn

from formula import fill, images
from runtime import run

warnings.filterwarnings("ignore")
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/GraphsTests/Golden"
SHAPE = [2, 3, 16, 16]
NAMES = {"input_names": ["input"], "output_names": ["logits"], "opset_version": 17,
         "dynamic_axes": {"input": {0: "n"}, "logits": {0: "n"}}, "dynamo": False}


class Depthwise(nn.Module):
    """Two depthwise convolutions, one behind a function that goes below zero."""

    def __init__(self, first=nn.ReLU6):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.clip = first()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.swish = nn.Hardswish()
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.swish(self.conv2(self.clip(self.conv1(x))))
        x = self.pool(self.relu(self.conv3(x)))
        return self.fc(torch.flatten(x, 1))


class Quantized(nn.Module):
    """The same between PyTorch's steps to whole numbers and back."""

    def __init__(self, inner):
        super().__init__()
        self.quant, self.inner = torch.ao.quantization.QuantStub(), inner
        self.dequant = torch.ao.quantization.DeQuantStub()

    def forward(self, x):
        return self.dequant(self.inner(self.quant(x)))


def calibration():
    return [images(SHAPE, f"calibration{i}") for i in range(4)]


x = torch.from_numpy(images(SHAPE))
plain = fill(Depthwise()).eval()
with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/plain.onnx"
    torch.onnx.export(plain, (x,), path, **NAMES)
    made = nncf.quantize(
        onnx.load(path), nncf.Dataset(calibration(), lambda batch: {"input": batch}), subset_size=4)
del made.metadata_props[:]
onnx.save(made, GOLDEN / "depthwise-nncf.onnx")

torch.backends.quantized.engine = "fbgemm"
# There is no export of a quantized ReLU of six.
model = Quantized(fill(Depthwise(nn.ReLU))).eval()
torch.ao.quantization.fuse_modules(
    model.inner, [["conv1", "clip"], ["conv3", "relu"]], inplace=True)
model.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
torch.ao.quantization.prepare(model, inplace=True)
for batch in calibration():
    model(torch.from_numpy(batch))
torch.ao.quantization.convert(model, inplace=True)
torch.onnx.export(model, (x,), GOLDEN / "depthwise-torch.onnx", **NAMES)

(GOLDEN / "quantized-files.json").write_text(json.dumps({
    "input": SHAPE,
    "logits": {
        name: run(GOLDEN / f"{name}.onnx", SHAPE) for name in ["depthwise-nncf", "depthwise-torch"]
    },
}, indent=1) + "\n")
