"""Writes small files with attention, layer normalization, padding and resizing, and in the QOperator
format, and what they compute, into Tests/GraphsTests/Golden.

A tiny vision transformer behind a ConvNeXt's block, as both of PyTorch's exporters write it, with
the logits that torch computes; a tiny network in ONNX Runtime's QOperator format, with the logits
that it computes without optimisation.
Run: python Scripts/golden/onnx_tokens.py (torch, onnx, onnxruntime, numpy), after onnx_files.py
"""

import json
import pathlib
import warnings

import numpy as np
import torch
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from torch import nn

from formula import fill, images
from runtime import Calibration, run

warnings.filterwarnings("ignore")
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/GraphsTests/Golden"
SHAPE = [2, 3, 16, 16]


class Block(nn.Module):
    """A ConvNeXt's block: rows of channels between images."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.act = nn.GELU()
        self.scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x):
        y = self.depthwise(nn.functional.pad(x, (1, 1, 1, 1)))
        y = self.norm(y.permute(0, 2, 3, 1))
        return x + self.scale * self.down(self.act(self.up(y))).permute(0, 3, 1, 2)


class Tokens(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, stride=8)
        self.slope = nn.PReLU(width)
        self.block = Block(width)
        self.token = nn.Parameter(torch.ones(1, 1, width))
        self.places = nn.Parameter(torch.ones(1, 17, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.block(self.slope(self.patches(x)))
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = x.reshape(x.shape[0], 8, 16).permute(0, 2, 1)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head(self.norm2(x)[:, 0])


model = fill(Tokens()).eval()
with torch.no_grad():
    logits = model.double()(torch.from_numpy(images(SHAPE)).double()).flatten().tolist()
model, x = model.float(), (torch.from_numpy(images(SHAPE)),)
names = {"input_names": ["input"], "output_names": ["logits"]}
torch.onnx.export(
    model, x, GOLDEN / "tokens-script.onnx", dynamo=False, opset_version=17,
    dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}}, **names)
program = torch.onnx.export(model, x, dynamo=True, opset_version=18, verbose=False, **names)
# The exporter's notes on where each node comes from are most of the file.
proto = program.model_proto
for node in proto.graph.node:
    node.ClearField("metadata_props")
    node.ClearField("doc_string")
for value in list(proto.graph.value_info):
    proto.graph.value_info.remove(value)
(GOLDEN / "tokens-dynamo.onnx").write_bytes(proto.SerializeToString())
quantize_static(
    GOLDEN / "tiny-eval.onnx", GOLDEN / "tiny-qoperator.onnx", Calibration(SHAPE),
    quant_format=QuantFormat.QOperator, per_channel=True, activation_type=QuantType.QUInt8,
    weight_type=QuantType.QInt8)
(GOLDEN / "onnx-tokens.json").write_text(json.dumps({
    "input": SHAPE,
    "logits": {
        "tokens-script": logits,
        "tokens-dynamo": logits,
        "tiny-qoperator": run(GOLDEN / "tiny-qoperator.onnx", SHAPE),
    },
}, indent=1) + "\n")
