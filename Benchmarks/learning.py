"""Does Equant learn as PyTorch does? The same images, the same recipe, several seeds.

    python Benchmarks/learning.py DATA [--seeds 3] [--epochs 3] [--size 64] [--precision bf16]
        [--only equant|torch] [--keep FOLDER]

DATA is a folder in CelebA's layout (equant portraits --out DATA ...). Trains a two-class ResNet-18
from scratch on the train split (SGD, momentum 0.9, weight decay 1e-4, one-cycle to 0.05, batch 64,
no augmentation) and prints the test accuracy of each seed and of each side, with the mean. --keep leaves Equant's
models and test predictions in FOLDER, and a model that is there already is not trained again.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

import numpy as np
from PIL import Image


def read(data, size):
    """All images of the folder as uint8 [n, 3, size, size], labels, groups and partition."""
    cache = os.path.join(data, f".learning-{size}.npz")
    if os.path.exists(cache):
        stored = np.load(cache)
        return stored["x"], stored["y"], stored["g"], stored["part"]
    with open(os.path.join(data, "list_attr_celeba.txt")) as lines:
        lines.readline()
        names = lines.readline().split()
        rows = [line.split() for line in lines]
    target, protected = names.index("Attractive") + 1, names.index("Male") + 1
    with open(os.path.join(data, "list_eval_partition.txt")) as lines:
        part = {name: int(value) for name, value in (line.split() for line in lines)}
    x = np.empty((len(rows), 3, size, size), np.uint8)
    for i, row in enumerate(rows):
        image = Image.open(os.path.join(data, "img_align_celeba", row[0])).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((size, size), Image.BILINEAR)
        x[i] = np.asarray(image).transpose(2, 0, 1)
    y = np.array([row[target] == "1" for row in rows], np.int64)
    g = np.array([row[protected] == "1" for row in rows], np.int64)
    p = np.array([part[row[0]] for row in rows])
    np.savez(cache, x=x, y=y, g=g, part=p)
    return x, y, g, p


def torch_run(x, y, part, arguments, seed):
    """The test accuracy of one PyTorch training run."""
    import torch
    import torchvision

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def batch(rows):
        images = (torch.from_numpy(x[rows]).float() / 255 - mean) / std
        return images.contiguous(memory_format=torch.channels_last)

    train, test = np.where(part == 0)[0], np.where(part == 2)[0]
    model = torchvision.models.resnet18(num_classes=2).to(memory_format=torch.channels_last)
    labels = torch.from_numpy(y)
    steps = arguments.epochs * (len(train) // 64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)
    half = arguments.precision == "bf16"
    for _ in range(arguments.epochs):
        model.train()
        order = rng.permutation(train)
        for start in range(0, len(order) - 63, 64):
            rows = order[start : start + 64]
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = model(batch(rows))
            loss = torch.nn.functional.cross_entropy(logits.float(), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(test), 256):
            rows = test[start : start + 256]
            right += (model(batch(rows)).argmax(1).numpy() == y[rows]).sum()
    return right / len(test)


def equant_run(data, arguments, seed):
    """The test accuracy of one run of `equant train` and `equant predict`."""
    equant = os.path.abspath(os.environ.get("EQUANT", ".build/release/equant"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or scratch
        model = os.path.join(folder, f"base-{seed}.onnx")
        csv = os.path.join(folder, f"base-{seed}.csv")
        if not os.path.exists(model):
            subprocess.run(
                [equant, "train", "--data", data, "--out", model, "--epochs", str(arguments.epochs),
                 "--size", str(arguments.size), "--precision", arguments.precision, "--batch", "64",
                 "--seed", str(seed)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([equant, "predict", model, "--data", data, "--out", csv], check=True,
                       stdout=subprocess.DEVNULL)
        audit = json.loads(subprocess.run(
            [equant, "audit", csv, "--format", "json"], check=True, capture_output=True).stdout)
        return audit["overall"]["accuracy"]["value"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", default="bf16", choices=["f32", "bf16"])
    parser.add_argument("--only", choices=["equant", "torch"])
    parser.add_argument("--keep", metavar="FOLDER")
    arguments = parser.parse_args()
    found = {"equant": [], "torch": []}
    if arguments.only != "equant":
        x, y, _, part = read(arguments.data, arguments.size)
    for seed in range(arguments.seeds):
        for side in found:
            if arguments.only not in (None, side):
                continue
            start = time.time()
            if side == "torch":
                accuracy = torch_run(x, y, part, arguments, seed)
            else:
                accuracy = equant_run(arguments.data, arguments, seed)
            found[side].append(float(accuracy))
            print(f"{side:7} seed {seed}: {accuracy:.4f}  ({time.time() - start:.0f} s)", flush=True)
    for side, values in found.items():
        if values:
            print(f"{side:7} mean {np.mean(values):.4f}, from {min(values):.4f} to {max(values):.4f}")


if __name__ == "__main__":
    main()
