"""Make thumbnails of images; needs Pillow: ``pip install 'swarmage[images]'``.

Start it with ``swarmage up actors`` (or ``swarmage up actors.images``) and send to it with

    swarmage send images.thumbnail photo.jpg 256 thumbnails --wait
    swarmage send images.album ~/photos 256 thumbnails --wait

The first makes ``thumbnails/photo.jpg-256.jpg``, no side longer than 256 pixels, upright as its EXIF orientation says,
without the source's EXIF data; the reply is ``{"source", "thumbnail", "width", "height", "bytes"}``. The second does
so for each image right in a folder, one local task per image, and replies ``{"made", "bytes", "failed"}``, the last
with path and reason. A source is never written to. Paths are paths on the drone's machine.
"""

from __future__ import annotations

import uuid
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from swarmage import TaskFailed, Worker, ability

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")  # Pillow reads more, some of them by starting other programs
SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
MOST_PIXELS = 80_000_000  # a small file can claim to be a huge image; what it claims is read before any memory is taken
SIZES = range(8, 4097)
WINDOW = 16


class Thumbnail(TypedDict):
    """The facts of a made file."""

    source: str
    thumbnail: str
    width: int
    height: int
    bytes: int


class Album(TypedDict):
    """What became of a folder of images."""

    made: int
    bytes: int
    failed: list[tuple[str, str]]


class Images(Worker):
    """Makes thumbnails: of one image, or of a folder of them."""

    concurrency = 2

    @ability("images.thumbnail", timeout=120, retries=1, give_up_on=(FileNotFoundError, RuntimeError, ValueError))
    def thumbnail(self, path: str, size: int, folder: str) -> Thumbnail:
        """Make one thumbnail in the output folder."""
        return make_thumbnail(Path(path), size, Path(folder))

    @ability("images.album", timeout=3600, retries=1, give_up_on=(FileNotFoundError, RuntimeError, ValueError))
    def album(self, path: str, size: int, folder: str) -> Album:
        """Make a thumbnail of each image in a folder."""
        sources = list_images(Path(path))
        album: Album = {"made": 0, "bytes": 0, "failed": []}
        under_way: deque[tuple[str, Any]] = deque()
        for begun, source in enumerate(sources, 1):
            under_way.append((source, self.try_local(Images.thumbnail, source, size, folder)))
            while len(under_way) >= WINDOW or (under_way and begun == len(sources)):
                _enter(album, *under_way.popleft())
                self.progress(begun - len(under_way), len(sources), "images")
        return album


def _enter(album: Album, source: str, handle: Any) -> None:
    try:
        made: Thumbnail = handle.result()
    except TaskFailed as error:  # an image that cannot be read must not end the others
        if error.kind == RuntimeError.__name__:  # no Pillow: the others will fare no better
            raise
        album["failed"].append((source, error.message))
    else:
        album["made"] += 1
        album["bytes"] += made["bytes"]


def list_images(folder: Path) -> list[str]:
    """Return the paths of the images right in a folder, in order, as far as their names tell."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder on the machine of this drone (from {Path.cwd()})")
    return [str(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()]


def make_thumbnail(source: Path, size: int, folder: Path) -> Thumbnail:
    """Write a thumbnail of the source into the folder, which is made when it is not there.

    Raises:
        RuntimeError: Pillow is not installed.
        FileNotFoundError: there is no source.
        ValueError: the size is out of range, or the source is no image, too large, or where the thumbnail would go.
    """
    if size not in SIZES:
        raise ValueError(f"the size must be {SIZES.start} to {SIZES.stop - 1} pixels, not {size}")
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such file on the machine of this drone (from {Path.cwd()})")
    image = _read(source, size)
    with_alpha = image.mode == "RGBA"
    target = folder / f"{source.name}-{size}.{'png' if with_alpha else 'jpg'}"
    if target.exists() and target.samefile(source):
        raise ValueError(f"{source}: the thumbnail would take the place of its source; name another output folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write(image, target, "PNG" if with_alpha else "JPEG")
    return {
        "source": str(source),
        "thumbnail": str(target),
        "width": image.width,
        "height": image.height,
        "bytes": target.stat().st_size,
    }


def _read(source: Path, size: int) -> Image.Image:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - the rest works without Pillow
    except ImportError:
        raise RuntimeError("images need Pillow, which is not installed; run: pip install 'swarmage[images]'") from None
    too_large = f"{source}: more than {MOST_PIXELS:,} pixels"
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(too_large)
            clear = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
            # a JPEG shrinks while it is decoded; a palette has no colours between its own, so it is converted before
            small = image if image.format == "JPEG" else image.convert("RGBA" if clear else "RGB")
            small.thumbnail((size, size))
            return ImageOps.exif_transpose(small).convert("RGBA" if clear else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(too_large) from None
    except UnidentifiedImageError:
        raise ValueError(f"{source}: not an image of one of the formats {', '.join(FORMATS)}") from None


def _write(image: Image.Image, target: Path, kind: str) -> None:
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("xb") as file:
            image.save(file, kind)
        draft.replace(target)  # whole or not at all, also when the task runs twice at once
    finally:
        draft.unlink(missing_ok=True)
