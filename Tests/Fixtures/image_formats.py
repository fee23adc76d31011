"""Small files of every format and variant, and what Pillow makes of each: the part of make_image_fixtures.py about decoding.

Files that Pillow writes are written by it; what it reads and does not write is put together here, byte by byte.
"""
import io, os, struct, zlib
import numpy as np
from PIL import Image, ImageOps

from image_samples import GRAY, RGB, RGBA, SLOW, SMALL, WIDE, exif, exif_entry, saved, xmp
from image_tiffs import tiff_files


# ---- JPEG -------------------------------------------------------------------------------------------------------------


def with_app1(jpeg, data):
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


def jpeg_files():
    yield "baseline_420.jpg", saved(RGB, "JPEG", quality=90)
    yield "baseline_444.jpg", saved(RGB, "JPEG", quality=90, subsampling=0)
    yield "baseline_422.jpg", saved(RGB, "JPEG", quality=75, subsampling=1)
    yield "progressive.jpg", saved(RGB, "JPEG", quality=85, progressive=True)
    yield "restart.jpg", saved(RGB, "JPEG", quality=85, restart_marker_blocks=3)
    yield "gray.jpg", saved(GRAY, "JPEG", quality=90)
    yield "cmyk.jpg", saved(RGB.convert("CMYK"), "JPEG", quality=90)
    for orientation in range(2, 9):
        yield f"orientation_{orientation}.jpg", saved(SMALL, "JPEG", quality=90, exif=exif(orientation))
    plain = saved(SMALL, "JPEG", quality=90)
    yield "orientation_long.jpg", with_app1(plain, b"Exif\0\0" + exif_entry(6, 4))
    yield "orientation_xmp.jpg", with_app1(plain, b"http://ns.adobe.com/xap/1.0/\0" + xmp(8))
    # EXIF data count first, unless they have no such tag.
    yield "orientation_exif_and_xmp.jpg", with_app1(with_app1(plain, b"Exif\0\0" + exif_entry(3)),
                                                    b"http://ns.adobe.com/xap/1.0/\0" + xmp(6))
    other = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x0128, 3, 1, 2, 0)
    yield "orientation_exif_without.jpg", with_app1(with_app1(plain, b"Exif\0\0" + other),
                                                    b"http://ns.adobe.com/xap/1.0/\0" + xmp(6, element=True))


# ---- PNG --------------------------------------------------------------------------------------------------------------


def chunks(png):
    at = 8
    while at < len(png):
        size = struct.unpack(">I", png[at:at + 4])[0]
        yield png[at + 4:at + 8], png[at + 8:at + 8 + size]
        at += 12 + size


def png_of(parts):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts)


def raw_profile(name, data):
    """As ImageMagick writes EXIF data into a text."""
    digits = data.hex()
    lines = "\n".join(digits[at:at + 72] for at in range(0, len(digits), 72))
    return f"\n{name}\n{len(data):8}\n{lines}\n".encode()


def png_orientations():
    parts = list(chunks(saved(SMALL, "PNG")))
    head, rest, end = parts[:1], parts[1:-1], parts[-1:]
    profile = raw_profile("exif", b"Exif\0\0" + exif_entry(6))
    key = b"Raw profile type exif\0"
    yield "exif_after_pixels", png_of(head + rest + [(b"eXIf", exif_entry(6))] + end)
    yield "profile_ztxt", png_of(head + [(b"zTXt", key + b"\0" + zlib.compress(profile))] + rest + end)
    yield "profile_text", png_of(head + [(b"tEXt", key + profile)] + rest + end)
    yield "profile_itxt", png_of(head + [(b"iTXt", key + b"\1\0en\0\0" + zlib.compress(profile))] + rest + end)
    yield "xmp", png_of(head + [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(8))] + rest + end)
    yield "xmp_compressed", png_of(head + rest + [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(5)))] + end)


def short_window():
    """A zlib header that claims a window of 256 bytes over data that reach back further."""
    strip = np.random.default_rng(4).integers(0, 256, (2, 40, 3), np.uint8)
    parts = list(chunks(saved(Image.fromarray(np.concatenate([strip] * 8)), "PNG", compress_level=9)))
    stream = bytearray(b"".join(data for kind, data in parts if kind == b"IDAT"))
    stream[0] = 0x08
    stream[1] = 31 - stream[0] * 256 % 31
    return png_of([(kind, bytes(stream) if kind == b"IDAT" else data) for kind, data in parts])


def png_files():
    yield "orientation_6.png", saved(SMALL, "PNG", exif=exif(6))
    for name, data in png_orientations():
        yield f"orientation_{name}.png", data
    yield "rgb.png", saved(RGB, "PNG")
    yield "gray.png", saved(GRAY, "PNG")
    yield "gray16.png", saved(WIDE, "PNG")
    yield "bitmap.png", saved(GRAY.convert("1"), "PNG")
    for bits in (2, 4, 8):
        yield f"palette_{bits}.png", saved(RGB.quantize(2 ** bits), "PNG", bits=bits)
    yield "palette_transparent.png", saved(RGB.quantize(16), "PNG", transparency=3)
    yield "rgba.png", saved(RGBA, "PNG")
    yield "gray_alpha.png", saved(RGBA.convert("LA"), "PNG")
    yield "short_window.png", short_window()
    yield "animated.png", saved(RGB, "PNG", save_all=True, append_images=[ImageOps.invert(RGB)], duration=100)
    # The picture that viewers without animations show is no frame here.
    yield "animated_apart.png", saved(RGB, "PNG", save_all=True, append_images=[ImageOps.invert(RGB), RGB], default_image=True)


# ---- WebP -------------------------------------------------------------------------------------------------------------


def riff(parts):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def u24(value):
    return struct.pack("<I", value)[:3]


def webp_frame(image, left=0, top=0, **options):
    return (b"ANMF", u24(left // 2) + u24(top // 2) + u24(image.width - 1) + u24(image.height - 1) + u24(100) + b"\0" +
            saved(image, "WEBP", **options)[12:])


def webp_animation(size, frames, flags=0x02):
    head = bytes([flags, 0, 0, 0]) + u24(size[0] - 1) + u24(size[1] - 1)
    return riff([(b"VP8X", head), (b"ANIM", b"\xff\x20\x40\x80\0\0")] + frames)


def webp_files():
    yield "lossy.webp", saved(RGB, "WEBP", quality=80)
    yield "lossless.webp", saved(RGB, "WEBP", lossless=True)
    yield "rgba.webp", saved(RGBA, "WEBP", lossless=True, exact=True)
    yield "orientation_8.webp", saved(SMALL, "WEBP", lossless=True, exif=exif(8))
    yield "orientation_xmp.webp", saved(SMALL, "WEBP", lossless=True, xmp=xmp(6))
    yield "animated.webp", saved(RGB, "WEBP", lossless=True, save_all=True, append_images=[ImageOps.invert(RGB)], duration=100)
    yield "animated_lossy.webp", saved(RGB, "WEBP", quality=80, save_all=True, append_images=[ImageOps.invert(RGB)], duration=100)
    yield "one_frame.webp", webp_animation(RGB.size, [webp_frame(RGB, lossless=True)])
    # The frame leaves a part of the canvas free.
    yield "small_frame.webp", webp_animation((60, 50), [webp_frame(RGB, 10, 4, lossless=True), webp_frame(SMALL, lossless=True)])


# ---- BMP --------------------------------------------------------------------------------------------------------------


def bmp(size, bits, rows, compression=0, header=40, masks=(), palette=b"", top_down=False):
    info = struct.pack("<IiiHHIIiiII", header, size[0], -size[1] if top_down else size[1], 1, bits, compression, len(rows), 2835,
                       2835, len(palette) // 4, 0)
    masks = b"".join(struct.pack("<I", mask) for mask in masks)
    extra = masks + bytes(max(0, header - 40 - len(masks)))
    offset = 14 + 40 + len(extra) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + info + extra + palette + rows


def bmp_rows(pixels, top_down=False):
    """Rows of whole numbers, padded to four bytes, from the bottom."""
    rows = [row.tobytes() for row in (pixels if top_down else pixels[::-1])]
    return b"".join(row + bytes(-len(row) % 4) for row in rows)


def bmp_fields(image, red, green, blue, dtype):
    """Pixels of bit fields; a field is (shift, bits)."""
    array = np.array(image).astype(np.uint64)
    words = sum((array[:, :, c] >> (8 - bits)) << shift for c, (shift, bits) in enumerate((red, green, blue)))
    return words.astype(dtype)


def mask(shift, bits):
    return (2 ** bits - 1) << shift


def rle8(pixels):
    """Runs, pixels as they are, ends of lines, a jump and the end of the picture."""
    out = bytearray()
    for number, row in enumerate(pixels[::-1].tolist()):
        at = 0
        while at < len(row):
            run = 1
            while at + run < len(row) and run < 255 and row[at + run] == row[at]:
                run += 1
            if run >= 3 or len(row) - at < 3:
                out += bytes([run, row[at]])
                at += run
            else:
                count = min(len(row) - at, 3 + number % 9)  # an odd number is followed by a zero
                out += bytes([0, count]) + bytes(row[at:at + count]) + bytes(count % 2)
                at += count
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def rle4(pixels):
    """The same with two pixels in a byte."""
    out = bytearray()
    for number, row in enumerate(pixels[::-1].tolist()):
        at = 0
        while at < len(row):
            count = min(len(row) - at, 3 + number % 12)
            part = row[at:at + count]
            if number % 3 == 0:  # alternating pairs
                out += bytes([min(2, count), part[0] << 4 | part[min(1, count - 1)]])
                at += min(2, count)
                continue
            if count < 3:
                out += b"".join(bytes([1, value << 4]) for value in part)
            else:
                packed = [part[i] << 4 | (part[i + 1] if i + 1 < count else 0) for i in range(0, count, 2)]
                out += bytes([0, count]) + bytes(packed) + bytes(len(packed) % 2)
            at += count
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def bmp_files():
    yield "rgb.bmp", saved(RGB, "BMP")
    yield "palette.bmp", saved(RGB.quantize(200), "BMP")
    yield "bitmap.bmp", saved(GRAY.convert("1"), "BMP")
    size = RGB.size
    five = bmp_fields(RGB, (10, 5), (5, 5), (0, 5), "<u2")
    yield "16bit.bmp", bmp(size, 16, bmp_rows(five))
    yield "16bit_555.bmp", bmp(size, 16, bmp_rows(five, True), 3, masks=(0x7C00, 0x3E0, 0x1F), top_down=True)
    yield "16bit_565.bmp", bmp(size, 16, bmp_rows(bmp_fields(RGB, (11, 5), (5, 6), (0, 5), "<u2")), 3, masks=(0xF800, 0x7E0, 0x1F))
    fields = bmp_fields(RGB, (24, 8), (16, 8), (8, 8), "<u4")
    yield "32bit_fields.bmp", bmp(size, 32, bmp_rows(fields), 3, 56, (0xFF000000, 0xFF0000, 0xFF00, 0))
    words = bmp_fields(RGB, (16, 8), (8, 8), (0, 8), "<u4") | np.array(GRAY).astype("<u4") << 24
    yield "rgba.bmp", bmp(size, 32, bmp_rows(words), 3, 124, (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    yield "32bit.bmp", bmp(size, 32, bmp_rows(words))
    for bits, pack in ((8, rle8), (4, rle4)):
        image = RGB.quantize(2 ** bits)
        colors = np.array(image.getpalette()[:3 * 2 ** bits], np.uint8).reshape(-1, 3)[:, ::-1]
        palette = np.concatenate([colors, np.zeros((len(colors), 1), np.uint8)], 1).tobytes()
        yield f"rle{bits}.bmp", bmp(size, bits, pack(np.array(image)), 1 if bits == 8 else 2, palette=palette)
        # A jump of 3 to the right and 2 up, runs beyond the end of a line, and a line that ends early.
        jumps = bytes([20, 0x31, 0, 2, 3, 2, 30, 0x12, 0, 0, 5, 0x21, 0, 0]) + bytes([45, 0x42, 0, 0]) * 34 + b"\0\1"
        yield f"rle{bits}_jumps.bmp", bmp(size, bits, jumps, 1 if bits == 8 else 2, palette=palette)


# ---- PNM --------------------------------------------------------------------------------------------------------------


def pnm_files():
    yield "rgb.ppm", saved(RGB, "PPM")
    yield "gray.pgm", saved(GRAY, "PPM")
    yield "gray16.pgm", saved(WIDE, "PPM")
    yield "bitmap.pbm", saved(GRAY.convert("1"), "PPM")
    small = np.array(RGB.resize((5, 4)))
    yield "text.ppm", b"P3\n# a comment\n5 4 255\n" + " ".join(map(str, small.reshape(-1))).encode() + b"\n"
    yield "text.pbm", b"P1 5 4\n10101\n01010\n1 1 1 1 1\n00000\n"


# ---- GIF --------------------------------------------------------------------------------------------------------------


def gif_files():
    few = RGB.quantize(40)
    yield "rgb.gif", saved(RGB.quantize(256), "GIF", interlace=0)
    yield "interlaced.gif", saved(few, "GIF", interlace=1)
    yield "gray.gif", saved(GRAY, "GIF")
    yield "bitmap.gif", saved(GRAY.convert("1"), "GIF")
    yield "transparent.gif", saved(few, "GIF", transparency=7, comment=b"a comment")
    yield "animated.gif", saved(few, "GIF", save_all=True, append_images=[few.transpose(Image.Transpose.ROTATE_180)], duration=50)
    plain = bytearray(saved(few, "GIF", interlace=0))
    table = 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    frame = plain.index(b",", table)
    # A frame that lies inside a larger screen: free pixels have the transparent colour, else the first one.
    for name, source in (("offset", plain), ("offset_transparent", bytearray(saved(few, "GIF", transparency=7, interlace=0)))):
        at = source.index(b",", table)
        source[6:10] = struct.pack("<HH", 60, 50)
        source[at + 1:at + 5] = struct.pack("<HH", 9, 5)
        yield name + ".gif", bytes(source)
    # A frame that reaches beyond the screen enlarges it.
    beyond = bytearray(plain)
    beyond[6:10] = struct.pack("<HH", 30, 20)
    yield "beyond.gif", bytes(beyond)
    # The table of colours before the frame in place of the common one; and none at all, which means levels of gray.
    image_flags = frame + 9
    own = bytearray(plain[:13] + plain[table:image_flags] + bytes([0x80 | plain[10] & 7]) + plain[13:table] + plain[image_flags + 1:])
    own[10] &= 0x7F
    yield "own_colors.gif", bytes(own)
    none = bytearray(plain[:13] + plain[table:])
    none[10] &= 0x7F
    yield "no_colors.gif", bytes(none)


# ---- HEIF -------------------------------------------------------------------------------------------------------------


def heif_files():
    yield "slow_420.avif", saved(SLOW, "AVIF", quality=90)
    yield "rgb_444.avif", saved(RGB, "AVIF", quality=90, subsampling="4:4:4")
    yield "gray.avif", saved(GRAY, "AVIF", quality=90, subsampling="4:0:0")
    yield "rgba.avif", saved(RGBA, "AVIF", quality=95, subsampling="4:4:4")
    yield "animated.avif", saved(RGB, "AVIF", quality=90, subsampling="4:4:4", save_all=True,
                                 append_images=[ImageOps.invert(RGB)], duration=100)
    for orientation in range(2, 9):
        yield f"orientation_{orientation}.avif", saved(SMALL, "AVIF", quality=95, subsampling="4:4:4", exif=exif(orientation))
    try:
        import pillow_heif
    except ImportError:
        print("no pillow_heif: the .heic files stay as they are")
        return
    pillow_heif.register_heif_opener()
    yield "slow_420.heic", saved(SLOW, "HEIF", quality=90)
    yield "rgb_444.heic", saved(RGB, "HEIF", quality=90, chroma=444)
    yield "rgba.heic", saved(RGBA, "HEIF", quality=90, chroma=444)
    yield "gray.heic", saved(GRAY, "HEIF", quality=90)
    for orientation in (6, 8):
        yield f"orientation_{orientation}.heic", saved(SMALL, "HEIF", quality=95, chroma=444, exif=exif(orientation))


# ---- What Pillow makes of them ----------------------------------------------------------------------------------------


def expected(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):  # 16 bits: Pillow's convert would clip
        return Image.fromarray(((np.array(image).astype(np.int64) * 2 + 257) // 514).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def write_formats(folder):
    os.makedirs(folder, exist_ok=True)
    for files in (jpeg_files, png_files, webp_files, bmp_files, pnm_files, gif_files, tiff_files, heif_files):
        for name, data, *pixels in files():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
            (pixels[0] if pixels else expected(data)).save(os.path.join(folder, name + ".expected.png"))
