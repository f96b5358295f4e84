"""Writes small JPEGs to calibrate with: Tests/CompressionTests/Golden/images.json."""

import base64
import io
import json
import pathlib

import numpy as np
from PIL import Image

random = np.random.default_rng(7)
images = []
for _ in range(12):
    base = random.uniform(40, 215, 3)
    tilt = random.uniform(-60, 60, (2, 3))
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    pixels = base + y[..., None] * tilt[0] + x[..., None] * tilt[1] + random.normal(0, 12, (32, 32, 3))
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=80)
    images.append(base64.b64encode(out.getvalue()).decode())

folder = pathlib.Path(__file__).resolve().parents[2] / "Tests/CompressionTests/Golden"
(folder / "images.json").write_text(json.dumps(images, indent=1) + "\n")
