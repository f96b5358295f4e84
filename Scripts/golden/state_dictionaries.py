"""Writes what torch.save makes of small state dictionaries into Tests/GraphsTests/Golden.

tiny.pth holds the numbers of tiny.safetensors; tensors.pth every element type, views, shared and
empty storages, inside a checkpoint of a data-parallel run; tensors.json says what is in it.
Run: python Scripts/golden/state_dictionaries.py (torch, safetensors)
"""

import collections
import json
import pathlib

import torch
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/GraphsTests/Golden"


def main():
    torch.save(collections.OrderedDict(load_file(GOLDEN / "tiny.safetensors")), GOLDEN / "tiny.pth")

    grid = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) - 7.25
    tensors = {
        "f32": grid,
        "transposed": grid.permute(2, 0, 1),
        "slice": grid[1, :, 1::2],
        "f64": torch.tensor([0.1, -2.5, 1e300], dtype=torch.float64),
        "f16": torch.tensor([0.1, -65504.0, 6e-8], dtype=torch.float16),
        "bf16": torch.tensor([[0.1], [-3e38]], dtype=torch.bfloat16),
        "i64": torch.tensor(-(2**40)),
        "i32": torch.tensor([1, -2], dtype=torch.int32),
        "i16": torch.tensor([300, -300], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
    }
    state = collections.OrderedDict((f"module.{name}", t) for name, t in tensors.items())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    checkpoint = {"epoch": 7, "loss": 0.25, "done": False, "note": None, "state_dict": state}
    torch.save(checkpoint, GOLDEN / "tensors.pth", pickle_protocol=4)
    described = {
        name: {
            "type": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "bytes": list(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            if tensor.numel() and tensor.dtype != torch.bool
            else [int(v) for v in tensor.detach().flatten().tolist()],
        }
        for name, tensor in tensors.items()
    }
    (GOLDEN / "tensors.json").write_text(json.dumps(described, separators=(",", ":")) + "\n")


main()
