#!/usr/bin/env python3
"""Makes the golden files of the image stage with Pillow (>= 13, whose order of resize passes ours follows) and torchvision.

    python3 make_image_fixtures.py [--photos photos-fullsize.tar]

Writes beside itself:
  image/formats/*           one small file for each format and variant, with FILE.expected.png: Pillow's pixels, upright RGB
                            (made by image_formats.py)
  image/plans.csv, plans.bin  crops of a picture that both sides compute: every field of the plan; the 8-bit samples, one after the other
  image/photos.csv          crops of real photos, which are not part of the package: plan and CRC-32 of the samples
  image/hue.csv             CRC-32 of hue shifts of 52^3 colours
"""
import argparse, csv, io, os, random, struct, tarfile, zlib
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from image_formats import write_formats
from image_samples import picture

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "image")
FIELDS = ("left top width height resized_width resized_height offset_x offset_y size flip jitter order "
          "brightness contrast saturation hue grayscale blur sigma").split()


def adjust(image, operation, factor):
    """torchvision.transforms.functional on PIL images, which is these calls."""
    if factor == (0 if operation == 3 else 1):
        return image
    if operation == 3:
        h, s, v = image.convert("HSV").split()
        shifted = (np.array(h).astype(np.int64) + int(factor * 255)) % 256
        return Image.merge("HSV", (Image.fromarray(shifted.astype(np.uint8)), s, v)).convert("RGB")
    enhancer = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[operation]
    return enhancer(image).enhance(factor)


def carry_out(image, plan):
    p = plan
    out = image.crop((p["left"], p["top"], p["left"] + p["width"], p["top"] + p["height"]))
    out = out.resize((p["resized_width"], p["resized_height"]), Image.Resampling.BILINEAR)
    out = out.crop((p["offset_x"], p["offset_y"], p["offset_x"] + p["size"], p["offset_y"] + p["size"]))
    if p["flip"]:
        out = ImageOps.mirror(out)
    if p["jitter"]:
        for o in p["order"]:
            out = adjust(out, int(o), p[("brightness", "contrast", "saturation", "hue")[int(o)]])
    if p["grayscale"]:
        out = out.convert("L").convert("RGB")
    if p["blur"]:
        out = out.filter(ImageFilter.GaussianBlur(p["sigma"]))
    return np.array(out)


def single(value):
    """Rounded to float32, as the plan keeps it."""
    return struct.unpack("f", struct.pack("f", value))[0]


def plan(left, top, width, height, size, **changes):
    p = dict(left=left, top=top, width=width, height=height, resized_width=size, resized_height=size, offset_x=0, offset_y=0, size=size,
             flip=0, jitter=0, order="0123", brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0, grayscale=0, blur=0, sigma=0.0)
    p.update(changes)
    return {k: single(v) if isinstance(v, float) else v for k, v in p.items()}


def random_plan(rng, width, height, size, low, high):
    while True:
        area, aspect = width * height * rng.uniform(low, high), rng.uniform(0.75, 1.333)
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            break
    order = "".join(rng.sample("0123", 4))
    return plan(rng.randint(0, width - w), rng.randint(0, height - h), w, h, size, flip=int(rng.random() < 0.5),
                jitter=int(rng.random() < 0.8), order=order, brightness=rng.uniform(0.2, 1.8), contrast=rng.uniform(0.2, 1.8),
                saturation=rng.uniform(0.2, 1.8), hue=rng.uniform(-0.2, 0.2), grayscale=int(rng.random() < 0.2),
                blur=int(rng.random() < 0.5), sigma=rng.uniform(0.1, 2.0))


def single_operations():
    """One thing at a time, on a 61 x 47 picture: enlarging, reducing, both orders of passes, windows; each operation at its edges."""
    for box in ((0, 0, 61, 47), (3, 5, 7, 9), (10, 2, 24, 24), (10, 2, 24, 40), (1, 1, 60, 24), (0, 20, 33, 27), (30, 0, 25, 47), (5, 5, 1, 1)):
        yield plan(*box, 24)
    yield plan(0, 0, 61, 47, 24, resized_width=36, resized_height=28, offset_x=6, offset_y=2)
    yield plan(0, 0, 61, 47, 24, resized_width=61, resized_height=28, offset_x=37, offset_y=4)
    yield plan(0, 0, 61, 47, 24, resized_width=25, resized_height=47, offset_x=1, offset_y=23)
    box = (7, 3, 40, 40)
    yield plan(*box, 24, flip=1)
    yield plan(*box, 25, flip=1)
    for factor in (0.0, 0.2, 0.5, 0.99, 1.3, 1.8, 3.0):
        for name in ("brightness", "contrast", "saturation"):
            yield plan(*box, 24, jitter=1, **{name: factor})
    for shift in (-0.5, -0.2, -0.01, 0.001, 0.1, 0.3, 0.5):
        yield plan(*box, 24, jitter=1, hue=shift)
    yield plan(*box, 24, grayscale=1)
    for sigma in (0.1, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 12.0):
        yield plan(*box, 24, blur=1, sigma=sigma)


def write_plans():
    rng = random.Random(1)
    plans = list(single_operations()) + [random_plan(rng, 61, 47, rng.choice((9, 16, 24)), 0.05, 1.0) for _ in range(40)]
    image = Image.fromarray(picture(61, 47))
    with open(os.path.join(HERE, "plans.csv"), "w", newline="") as table, open(os.path.join(HERE, "plans.bin"), "wb") as samples:
        rows = csv.DictWriter(table, FIELDS, lineterminator="\n")
        rows.writeheader()
        for p in plans:
            rows.writerow(p)
            samples.write(carry_out(image, p).tobytes())


def write_photos(tar):
    rng = random.Random(2)
    with tarfile.open(tar) as archive, open(os.path.join(HERE, "photos.csv"), "w", newline="") as table:
        rows = csv.DictWriter(table, ["file"] + FIELDS + ["crc32"], lineterminator="\n")
        rows.writeheader()
        files = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        for member in files[::5]:
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(archive.extractfile(member).read()))).convert("RGB")
            for size, low, high in ((224, 0.14, 1.0), (224, 0.14, 1.0), (96, 0.05, 0.14), (96, 0.05, 0.14), (96, 0.05, 0.14)):
                p = random_plan(rng, *image.size, size, low, high)
                rows.writerow(dict(p, file=os.path.basename(member.name), crc32=zlib.crc32(carry_out(image, p).tobytes())))


def write_hue():
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(1, -1, 3)
    with open(os.path.join(HERE, "hue.csv"), "w") as table:
        table.write("shift,crc32\n")
        for shift in (-0.5, -0.137, -0.002, 0.002, 0.07, 0.2, 0.45):
            shift = single(shift)
            pixels = np.array(adjust(Image.fromarray(colors), 3, shift))
            table.write(f"{shift!r},{zlib.crc32(pixels.tobytes())}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", help="photos-fullsize.tar; without it photos.csv stays as it is")
    arguments = parser.parse_args()
    os.makedirs(HERE, exist_ok=True)
    write_formats(os.path.join(HERE, "formats"))
    write_plans()
    write_hue()
    if arguments.photos:
        write_photos(arguments.photos)


if __name__ == "__main__":
    main()
