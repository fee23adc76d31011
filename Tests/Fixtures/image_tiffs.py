"""TIFF files of every arrangement that is read: some by Pillow, most by a small writer, as Pillow writes few of them."""
import struct, zlib
import numpy as np
from PIL import Image

from image_samples import GRAY, RGB, RGBA, SMALL, WIDE, picture, saved, xmp

NONE, DEFLATE, PACKBITS = 1, 8, 32773
SEPARATE = 2
WHITE_IS_ZERO, BLACK_IS_ZERO, COLOR, PALETTE, INKS, YCBCR = 0, 1, 2, 3, 5, 6


def packed(block, bits, order):
    """Rows of [height][width][samples], each beginning at a byte."""
    if bits == 8:
        return block.astype(np.uint8).tobytes()
    if bits == 16:
        return block.astype(order + "u2").tobytes()
    rows = block.reshape(block.shape[0], -1)
    digits = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.reshape(block.shape[0], -1).astype(np.uint8), axis=1).tobytes()


def difference(block, bits):
    """Predictor 2: each sample less its left neighbour."""
    out = block.astype(np.int64)
    out[:, 1:] -= block[:, :-1].astype(np.int64)
    return out % 2 ** bits


def run_lengths(data):
    """PackBits, runs of equal bytes only where they are long."""
    out, at = bytearray(), 0
    while at < len(data):
        run = 1
        while at + run < len(data) and run < 128 and data[at + run] == data[at]:
            run += 1
        if run >= 3:
            out += bytes([257 - run, data[at]])
            at += run
            continue
        count = min(len(data) - at, 5)
        out += bytes([count - 1]) + data[at:at + count]
        at += count
    return bytes(out)


def compressed(block, bits, order, compression, predictor, fill_order):
    block = difference(block, bits) if predictor == 2 else block
    data = packed(block, bits, order)
    if compression == DEFLATE:
        data = zlib.compress(data)
    elif compression == PACKBITS:
        width = len(data) // len(block)
        data = b"".join(run_lengths(data[at:at + width]) for at in range(0, len(data), width))
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data) if fill_order == 2 else data


def blocks(pixels, tile, rows):
    """Tiles, padded, or strips."""
    height, width = pixels.shape[:2]
    if not tile:
        return [pixels[top:top + rows] for top in range(0, height, rows)]
    across, down = tile
    full = np.pad(pixels, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
    return [full[top:top + down, left:left + across] for top in range(0, height, down) for left in range(0, width, across)]


class Writer:
    """Numbers in the file's byte order, 4 or 8 bytes for offsets."""

    def __init__(self, order, big):
        self.order, self.big = order, big

    def pack(self, letters, *values):
        return struct.pack(self.order + letters, *values)

    def entry(self, tag, kind, values, extra, at):
        """An entry of a directory; values that do not fit go to `extra`, which lies at `at` in the file."""
        letter = {1: "B", 3: "H", 4: "I", 7: "B"}[kind]
        data = self.pack(f"{len(values)}{letter}", *values)
        room, offset = (8, "Q") if self.big else (4, "I")
        if len(data) > room:
            where = self.pack(offset, at + len(extra))
            extra += data + bytes(len(data) % 2)
            data = where
        return self.pack("HH" + offset, tag, kind, len(values)) + data.ljust(room, b"\0")


def tiff(pixels, bits=8, photometric=BLACK_IS_ZERO, compression=NONE, predictor=1, planar=1, tile=None, rows=16, extra=(),
         colors=None, orientation=None, order="<", big=False, fill_order=1, tags=(), pages=1):
    """`pixels` [height][width][samples], whole numbers as stored. Further pages are the first one, mirrored."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    writer = Writer(order, big)
    head = (b"II" if order == "<" else b"MM") + (writer.pack("HHH", 43, 8, 0) if big else writer.pack("H", 42))
    out = bytearray(head + bytes(8 if big else 4))
    link = len(head)
    for page in range(pages):
        shown = pixels[:, ::-1] if page else pixels
        planes = [shown[:, :, c:c + 1] for c in range(shown.shape[2])] if planar == SEPARATE else [shown]
        offsets, sizes = [], []
        for block in (block for plane in planes for block in blocks(plane, tile, rows)):
            data = compressed(block, bits, order, compression, predictor, fill_order)
            offsets.append(len(out))
            sizes.append(len(data))
            out += data + bytes(len(data) % 2)
        height, width, samples = pixels.shape
        entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * samples), (259, 3, [compression]),
                   (262, 3, [photometric]), (266, 3, [fill_order]), (277, 3, [samples]), (284, 3, [planar]), (317, 3, [predictor])]
        if tile:
            entries += [(322, 3, [tile[0]]), (323, 3, [tile[1]]), (324, 4, offsets), (325, 4, sizes)]
        else:
            entries += [(273, 4, offsets), (278, 3, [rows]), (279, 4, sizes)]
        entries += [(274, 3, [orientation])] if orientation else []
        entries += [(338, 3, list(extra))] if extra else []
        entries += [(320, 3, list(colors))] if colors is not None else []
        entries = sorted(entries + list(tags))
        size = (8 + 20 * len(entries) + 8) if big else (2 + 12 * len(entries) + 4)
        where, more = len(out), bytearray()
        directory = writer.pack("Q" if big else "H", len(entries))
        for tag, kind, values in entries:
            directory += writer.entry(tag, kind, values, more, where + size)
        out[link:link + (8 if big else 4)] = writer.pack("Q" if big else "I", where)
        link = where + len(directory)
        out += directory + bytes(8 if big else 4) + more
    return bytes(out)


def levels(array):
    """Samples of 16 bits to the nearest of 256 levels, where Pillow takes the upper byte; as RGB."""
    return Image.fromarray(((array.astype(np.int64) * 2 + 257) // 514).astype(np.uint8)).convert("RGB")


def color_table(image, count):
    table = np.zeros((count, 3), np.int64)
    given = np.array(image.getpalette(), np.int64).reshape(-1, 3)[:count]
    table[:len(given)] = given
    return (table.T * 257).reshape(-1).tolist()


def by_pillow():
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd"):
        yield f"rgb_{compression}.tif", saved(RGB, "TIFF", **({} if compression == "raw" else {"compression": compression}))
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield f"bitmap_{compression}.tif", saved(GRAY.convert("1"), "TIFF", compression=compression)
    yield "gray_jpeg.tif", saved(GRAY, "TIFF", compression="jpeg")
    yield "palette.tif", saved(RGB.quantize(200), "TIFF", compression="tiff_lzw")
    yield "cmyk.tif", saved(RGB.convert("CMYK"), "TIFF")
    yield "rgba.tif", saved(RGBA, "TIFF", compression="tiff_lzw")
    yield "gray_alpha.tif", saved(RGBA.convert("LA"), "TIFF")
    yield "gray16.tif", saved(WIDE, "TIFF")
    yield "ycbcr.tif", saved(RGB.convert("YCbCr"), "TIFF", compression="tiff_lzw")


def arrangements(rgb):
    yield "tiles", tiff(rgb, photometric=COLOR, tile=(16, 32))
    yield "tiles_deflate", tiff(rgb, photometric=COLOR, tile=(32, 16), compression=DEFLATE, predictor=2)
    yield "planes", tiff(rgb, photometric=COLOR, planar=SEPARATE, rows=7)
    yield "planes_tiles", tiff(rgb, photometric=COLOR, planar=SEPARATE, tile=(16, 16), compression=DEFLATE)
    yield "one_strip", tiff(rgb, photometric=COLOR, rows=200, compression=DEFLATE)
    yield "big_endian", tiff(rgb, photometric=COLOR, order=">", compression=PACKBITS, rows=5)
    yield "bigtiff", tiff(rgb, photometric=COLOR, big=True)
    yield "pages", tiff(rgb, photometric=COLOR, pages=3, compression=DEFLATE)


def depths(gray):
    for bits in (1, 2, 4):
        yield f"gray_{bits}", tiff(gray >> (8 - bits), bits)
        yield f"white_is_zero_{bits}", tiff(gray >> (8 - bits), bits, WHITE_IS_ZERO, compression=DEFLATE, rows=9)
    yield "white_is_zero_8", tiff(gray, photometric=WHITE_IS_ZERO, tile=(16, 16))
    yield "bits_reversed", tiff(gray >> 7, 1, fill_order=2)
    for bits in (1, 2, 4):
        image = RGB.quantize(2 ** bits)
        yield f"palette_{bits}", tiff(np.array(image), bits, PALETTE, colors=color_table(image, 2 ** bits))


def transparency(rgb):
    alpha = np.array(GRAY)[:, :, None]
    rgba = np.concatenate([rgb, alpha], 2)
    yield "alpha_straight", tiff(rgba, photometric=COLOR, extra=(2,), compression=DEFLATE)
    scaled = np.concatenate([rgb.astype(np.int64) * alpha // 255, alpha], 2)
    yield "alpha_multiplied", tiff(scaled, photometric=COLOR, extra=(1,))
    yield "alpha_unsaid", tiff(rgba, photometric=COLOR)
    yield "extra_samples", tiff(np.concatenate([rgba, alpha // 2], 2), photometric=COLOR, extra=(0, 0))
    yield "alpha_planes", tiff(rgba, photometric=COLOR, extra=(2,), planar=SEPARATE, compression=DEFLATE)


def tiff_files():
    yield from by_pillow()
    rgb, gray = picture(45, 38), np.array(GRAY)
    for files in (arrangements(rgb), depths(gray), transparency(rgb)):
        for name, data in files:
            yield name + ".tif", data
    for orientation in range(2, 9):
        yield f"orientation_{orientation}.tif", tiff(np.array(SMALL), photometric=COLOR, orientation=orientation)
    yield "orientation_xmp.tif", tiff(np.array(SMALL), photometric=COLOR, tags=[(700, 1, list(xmp(6)))])
    # What Pillow has otherwise or not at all.
    yield "bigtiff_big_endian.tif", tiff(rgb, photometric=COLOR, big=True, order=">", tile=(16, 16)), RGB
    wide, colors = np.array(WIDE).astype(np.int64), rgb.astype(np.int64) * 250 + 99
    yield "gray12.tif", tiff(wide >> 4, 12), levels(((wide >> 4) * 65535 + 2047) // 4095)
    yield "white_is_zero_16.tif", tiff(wide, 16, WHITE_IS_ZERO, order=">"), levels(65535 - wide)
    yield "rgb16.tif", tiff(colors, 16, COLOR, DEFLATE, predictor=2), levels(colors)
    yield "rgb16_tiles.tif", tiff(colors, 16, COLOR, tile=(16, 16), order=">"), levels(colors)
    yield "rgb16_planes.tif", tiff(colors, 16, COLOR, planar=SEPARATE, order=">"), levels(colors)
