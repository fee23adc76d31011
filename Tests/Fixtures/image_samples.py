"""The pictures that the files of image_formats.py and image_tiffs.py show, and what such files say about orientation."""
import io, struct
import numpy as np
from PIL import Image


def picture(width, height, channels=3):
    """Integers only, so that the tests compute the same: slow waves by triangles, plus a hash for noise."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    wave = np.abs((x * (5 + c) + y * (3 + 2 * c)) % 256 - 128) + np.abs((x * 2 - y * 3 + 40 * c) % 192 - 96)
    noise = ((x * 73856093 ^ y * 19349663 ^ c * 83492791) & 0xFFFFFFFF) >> 7 & 31
    return np.clip(wave + noise, 0, 255).astype(np.uint8)


RGB = Image.fromarray(picture(45, 38))
GRAY = Image.fromarray(picture(45, 38, 1)[:, :, 0])
RGBA = RGB.copy()
RGBA.putalpha(GRAY)
WIDE = Image.fromarray(np.array(GRAY).astype(np.uint16) * 250 + 99)
# Colours change slowly: of chroma at half the resolution, decoders of different libraries interpolate or repeat the samples.
SLOW = Image.fromarray(np.fromfunction(lambda y, x, c: (x * 2 * (c == 0) + y * 2 * (c == 1) + (120 + x) * (c == 2)),
                                       (38, 45, 3)).astype(np.uint8))
SMALL = RGB.resize((20, 13))  # for orientations


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def exif_entry(orientation, kind=3):
    """A TIFF structure with the tag alone, as a number of the given type."""
    return struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x0112, kind, 1, orientation, 0)


def xmp(orientation, element=False):
    inner = (f'><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>' if element
             else f' tiff:Orientation="{orientation}"/>')
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{inner}</rdf:RDF></x:xmpmeta>').encode()
