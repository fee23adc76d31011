"""Makes Tests/Fixtures/archives: small tar archives in every format that is read, by Python's tarfile, with a list of
what is in them. Run from anywhere; the output does not depend on time or user.

    python3 make_archive_fixtures.py
"""
import hashlib
import io
import pathlib
import tarfile

FOLDER = pathlib.Path(__file__).parent / "archives"
# More than the 100 bytes that a header has for a name; with a slash where ustar may cut it in two, and without.
LONG_PATH = "a" * 60 + "/" + "b" * 90 + "/photo.jpg"
LONG_NAME = "class1/" + "c" * 180 + ".jpg"


def data(name, size):
    """Bytes that follow from the name."""
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def fnv(content):
    """The 64-bit Fowler-Noll-Vo hash 1a."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def write(file, form, members):
    """Members are (name, content), or (name, None, type); returns lines 'archive name size hash' of the regular files."""
    lines = []
    with tarfile.open(FOLDER / file, "w", format=form, encoding="utf-8") as archive:
        for name, content, *kind in members:
            info = tarfile.TarInfo(name)
            info.mtime = 1_600_000_000
            if content is not None:
                info.size = len(content)
                lines.append(f"{file}\t{name}\t{len(content)}\t{fnv(content):016x}")
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type = kind[0]
                info.linkname = "x" * 150 if form != tarfile.USTAR_FORMAT else "x"
                archive.addfile(info)
    return lines


def main():
    FOLDER.mkdir(exist_ok=True)
    sizes = [0, 1, 511, 512, 513, 1500]
    plain = [("class0", None, tarfile.DIRTYPE)]
    plain += [(f"class{i % 2}/{i}.jpg", data(str(i), size)) for i, size in enumerate(sizes)]
    links = [("class0/link.jpg", None, tarfile.SYMTYPE), ("class0/hard.jpg", None, tarfile.LNKTYPE)]
    lines = write("ustar.tar", tarfile.USTAR_FORMAT, plain + links + [(LONG_PATH, data("long", 700))])
    named = plain + links + [(LONG_NAME, data("name", 600))]
    lines += write("gnu.tar", tarfile.GNU_FORMAT, named + [("last/z.png", data("z", 3))])
    lines += write("pax.tar", tarfile.PAX_FORMAT, named + [("ümläut/ß.webp", data("u", 5))])

    def sample(key, label):
        return [(f"{key}.cls", label), (f"{key}.left.jpg", data(key + "l", 20)), (f"{key}.png", data(key, 30))]

    lines += write(
        "webdataset.tar", tarfile.PAX_FORMAT,
        sample("./train/000", b"10\n") + sample("./train/001", b"9") + [("./._hidden.jpg", b"x"), ("./notes.txt", b"text")])
    (FOLDER / "contents.tsv").write_text("".join(line + "\n" for line in lines))

    def pixels(seed):
        return bytes((seed + 7 * i + i // 1024 * 50) % 256 for i in range(3072))

    (FOLDER / "cifar10.bin").write_bytes(b"".join(bytes([label]) + pixels(label) for label in (3, 9, 0)))
    (FOLDER / "cifar100.bin").write_bytes(b"".join(bytes([label % 20, label]) + pixels(label) for label in (99, 4)))


main()
