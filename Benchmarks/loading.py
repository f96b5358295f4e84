"""Reading, decoding, resizing and normalising faces: Equant's loader and a PyTorch DataLoader.

Draws portraits, then lets both prepare the same 2048 of them in turn: two threads here,
two worker processes there (torchvision's transforms on Pillow images). Then lets Equant train in
turns on all of them and on one batch in memory.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time

import torch
import torchvision
from PIL import Image
from torchvision import transforms

EQUANT = os.path.abspath(os.environ.get("EQUANT", ".build/release/equant"))
COUNT, SIZE, TURNS = 2048, 64, 5
# Turns of 25 training steps of 64 images in each of two epochs.
STEPS = 6


class Faces(torch.utils.data.Dataset):
    """The first COUNT images of a folder in CelebA's layout."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "img_align_celeba")
        self.names = sorted(os.listdir(self.folder))[:COUNT]
        self.prepare = transforms.Compose([
            transforms.CenterCrop(178), transforms.Resize(SIZE), transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        with Image.open(os.path.join(self.folder, self.names[index])) as image:
            return self.prepare(image.convert("RGB"))


def equant(folder):
    found = json.loads(subprocess.run(
        [EQUANT, "bench-loading", "--data", folder, "--size", str(SIZE), "--count", str(COUNT)],
        check=True, capture_output=True).stdout)
    return found["images"] / found["seconds"]


def multiplies_bf16():
    doctor = subprocess.run(
        [EQUANT, "doctor", "--format", "json"], check=True, capture_output=True)
    return json.loads(doctor.stdout)["nativeBFloat16"]


def peer(folder):
    loader = torch.utils.data.DataLoader(
        Faces(folder), batch_size=64, shuffle=True, num_workers=2, drop_last=True)
    images, start = 0, None
    for batch in loader:
        # The workers' start-up is not counted: the clock begins with the first batch.
        if start is None:
            start = time.perf_counter()
        else:
            images += len(batch)
    return images / (time.perf_counter() - start)


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [EQUANT, "portraits", "--out", folder, "--train", str(STEPS * 25 * 64),
             "--validation", "0", "--test", "0", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        ours, theirs = [], []
        for _ in range(TURNS):
            ours.append(equant(folder))
            theirs.append(peer(folder))
        precision = "bf16" if multiplies_bf16() else "f32"
        trained = json.loads(subprocess.run(
            [EQUANT, "bench-training", "--precision", precision,
             "--steps", str(STEPS), "--data", folder],
            check=True, capture_output=True).stdout)["loadingShare"]
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow; "
          f"{COUNT} JPEGs of 178 x 218 to {SIZE} x {SIZE}, 2 workers each, {TURNS} turns")
    print(f"{'':24}{'images/s':>10}")
    print(f"{'Equant':24}{statistics.median(ours):10.0f}")
    print(f"{'DataLoader + Pillow':24}{statistics.median(theirs):10.0f}")
    print(f"ratio {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
    first, later = (f"{trained[key]:.1%}" for key in ("firstEpoch", "laterEpochs"))
    print(f"training from files in {precision}, of its speed on a batch in memory (medians of {STEPS} "
          f"turns): {first} in the first epoch, {later} in the second")


if __name__ == "__main__":
    main()
