from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from actors import images

ORIENTATION = 0x0112


def picture(path: Path, mode: str = "RGB", size: tuple[int, int] = (400, 200), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size)
    image.save(path, **options)
    return path


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_thumbnail_keeps_the_proportions_and_tells_its_facts(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg")
    facts = images.make_thumbnail(source, 100, tmp_path / "out" / "deep")
    made = tmp_path / "out" / "deep" / "a.jpg-100.jpg"
    assert facts == {
        "source": str(source),
        "thumbnail": str(made),
        "width": 100,
        "height": 50,
        "bytes": made.stat().st_size,
    }
    with Image.open(made) as image:
        assert (image.format, image.size) == ("JPEG", (100, 50))
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_a_small_image_is_not_blown_up(tmp_path: Path) -> None:
    facts = images.make_thumbnail(picture(tmp_path / "a.png", size=(20, 30)), 100, tmp_path)
    assert (facts["width"], facts["height"]) == (20, 30)


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff", "webp"])
def test_the_exif_orientation_is_respected_and_left_out(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"a.{kind}"
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was held upright: turn a quarter clockwise
    image = Image.new("RGB", (400, 200))
    image.paste((255, 255, 255), (0, 0, 200, 200))
    image.save(source, exif=exif)
    facts = images.make_thumbnail(source, 100, tmp_path / "out")
    with Image.open(facts["thumbnail"]) as made:
        assert made.size == (50, 100)
        assert made.convert("L").getpixel((25, 10)) > 200  # type: ignore[operator]
        assert made.convert("L").getpixel((25, 90)) < 50  # type: ignore[operator]
        assert ORIENTATION not in made.getexif()


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        ("L", "a.png", "jpg"),
        ("1", "a.png", "jpg"),
        ("P", "a.gif", "jpg"),
        ("CMYK", "a.jpg", "jpg"),
        ("RGBA", "a.png", "png"),
        ("LA", "a.png", "png"),
        ("I;16", "a.png", "jpg"),
    ],
)
def test_every_mode_becomes_a_picture_people_can_open(tmp_path: Path, mode: str, name: str, expected: str) -> None:
    facts = images.make_thumbnail(picture(tmp_path / name, mode), 100, tmp_path / "out")
    assert facts["thumbnail"].endswith(f"-100.{expected}")
    with Image.open(facts["thumbnail"]) as made:
        assert made.mode == ("RGBA" if expected == "png" else "RGB")


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_an_image_that_claims_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    source = tmp_path / "bomb.png"
    source.write_bytes(png_that_claims(side, side))
    with pytest.raises(ValueError, match="more than 80,000,000 pixels"):
        images.make_thumbnail(source, 100, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.jpg: not an image of one of the formats"):
        images.make_thumbnail(source, 100, tmp_path)


def test_half_an_image_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(png_that_claims(100, 100))
    with pytest.raises(OSError, match="truncated"):
        images.make_thumbnail(source, 100, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [7, 0, -1, 4097])
def test_a_size_out_of_range_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match="the size must be 8 to 4096 pixels"):
        images.make_thumbnail(picture(tmp_path / "a.png"), size, tmp_path)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.png: no such file on the machine of this drone"):
        images.make_thumbnail(tmp_path / "gone.png", 100, tmp_path)


def test_the_source_is_never_written_to_even_through_a_link(tmp_path: Path) -> None:
    target = picture(tmp_path / "a.png-100.jpg")
    before = target.read_bytes()
    source = tmp_path / "a.png"
    source.symlink_to(target)
    with pytest.raises(ValueError, match="would take the place of its source"):
        images.make_thumbnail(source, 100, tmp_path)
    assert target.read_bytes() == before


def test_making_it_twice_gives_the_same_file(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    assert images.make_thumbnail(source, 64, tmp_path) == images.make_thumbnail(source, 64, tmp_path)


def test_an_album_is_the_images_right_in_the_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/c.png"):
        picture(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("no image")
    assert images.list_images(tmp_path) == [str(tmp_path / "a.png"), str(tmp_path / "b.JPG")]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        images.list_images(tmp_path / "gone")


def test_without_pillow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = picture(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(RuntimeError, match=r"pip install 'swarmage\[images\]'"):
        images.make_thumbnail(source, 100, tmp_path)
