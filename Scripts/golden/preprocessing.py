"""Makes Tests/FacesTests/Golden/preprocessing.json: what torchvision and Pillow prepare.

The picture is Tests/FacesTests/Golden/pillow.json's JPEG; sums weighted by position stand for the
pixels of each channel. Needs Pillow, NumPy and torchvision: python Scripts/golden/preprocessing.py
"""

import base64
import io
import json
import pathlib

import numpy
from PIL import Image
from torchvision.transforms import InterpolationMode, functional

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "Tests/FacesTests/Golden"


def described(name, image, **settings):
    pixels = numpy.asarray(image, dtype=numpy.int64).reshape(-1, 3)
    weights = numpy.arange(1, len(pixels) + 1)[:, None]
    return {"name": name, "height": image.height, "width": image.width,
            "sums": pixels.sum(0).tolist(), "weighted": (pixels * weights).sum(0).tolist(),
            "first": pixels[:8].flatten().tolist(), **settings}


picture = Image.open(io.BytesIO(base64.b64decode(
    json.loads((GOLDEN / "pillow.json").read_text())["jpeg"]))).convert("RGB")
cases = []
for filter in ["bilinear", "bicubic"]:
    mode = InterpolationMode(filter)
    for side, height, width in [(73, 64, 64), (256, 224, 224), (100, 90, 61)]:
        resized = functional.resize(picture, side, interpolation=mode, antialias=True)
        cases.append(described(
            f"{filter} {side}", functional.center_crop(resized, [height, width]),
            interpolation=filter, shorterSide=side))
    cases.append(described(
        f"{filter} stretch", functional.resize(picture, [50, 81], interpolation=mode),
        interpolation=filter))
(GOLDEN / "preprocessing.json").write_text(json.dumps(cases, indent=1) + "\n")
