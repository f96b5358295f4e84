"""Makes Tests/ImagesTests/Golden/pillow.json: what Pillow decodes, crops and resizes.

Needs Pillow and NumPy: python Scripts/golden/images.py
"""

import base64
import io
import json
import pathlib

import numpy
from PIL import Image


def picture(width, height, seed):
    """Smooth colours, a few edges and some grain, so that every part of a filter shows."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    channels = []
    for _ in range(3):
        a, b, c = random.uniform(0.02, 0.12, 3)
        wave = numpy.sin(a * x + random.uniform(0, 6)) + numpy.cos(b * y) + numpy.sin(c * (x + y))
        channels.append(128 + 35 * wave)
    pixels = numpy.stack(channels, -1)
    pixels[(x - width / 2) ** 2 / 4 + (y - height / 2) ** 2 / 9 < (width / 8) ** 2] = (240, 200, 40)
    pixels[height // 3 : height // 3 + 3] = 0
    pixels += random.normal(0, 6, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def text(data):
    return base64.b64encode(data).decode()


def jpeg(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


decoded = []
for name, image, options in [
    ("4:2:0", picture(90, 96, 1), {"quality": 90}),
    ("4:4:4 progressive", picture(61, 47, 2), {"quality": 80, "subsampling": 0, "progressive": True}),
    ("gray", picture(40, 33, 3).convert("L"), {"quality": 85}),
]:
    data = jpeg(image, **options)
    back = Image.open(io.BytesIO(data)).convert("RGB")
    decoded.append(
        {"name": name, "jpeg": text(data), "width": back.width, "height": back.height,
         "pixels": text(back.tobytes())})

resized = []
for width, height, box, size in [
    (89, 109, (0, 10, 89, 99), (64, 64)),
    (70, 50, (0, 0, 70, 50), (32, 32)),
    (30, 40, (0, 0, 30, 40), (64, 50)),
    (64, 64, (0, 0, 64, 64), (64, 64)),
    (50, 50, (7, 3, 48, 44), (9, 20)),
    (5, 4, (0, 0, 5, 4), (3, 1)),
    (1, 1, (0, 0, 1, 1), (4, 4)),
]:
    source = picture(width, height, width)
    out = source.crop(box).resize(size, Image.Resampling.BILINEAR)
    resized.append(
        {"width": width, "height": height, "pixels": text(source.tobytes()), "box": box,
         "toWidth": size[0], "toHeight": size[1], "resized": text(out.tobytes())})

# The whole way that CelebA's images go: decode, cut the square from the middle, resize.
portrait = picture(178, 218, 9)
data = jpeg(portrait, quality=92)
back = Image.open(io.BytesIO(data)).convert("RGB")
middle = back.crop((0, 20, 178, 198))
chain = {"jpeg": text(data)}
for size in (64, 96):
    chain[f"size{size}"] = text(middle.resize((size, size), Image.Resampling.BILINEAR).tobytes())

tests = pathlib.Path(__file__).parents[2] / "Tests"
golden = tests / "ImagesTests/Golden/pillow.json"
golden.write_text(json.dumps({"decoded": decoded, "resized": resized}, indent=0))
(tests / "FacesTests/Golden/pillow.json").write_text(json.dumps(chain, indent=0))
