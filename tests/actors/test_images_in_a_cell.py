from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from actors.images import Images
from swarmage import TaskFailed
from swarmage.testing.swarm import Swarm

LONG = 60.0


@pytest.fixture(autouse=True)
def cell(swarm: Swarm) -> None:
    swarm.start(Images)


def test_an_album_is_made_although_one_image_is_broken(swarm: Swarm, tmp_path: Path) -> None:
    folder, thumbnails = tmp_path / "photos", tmp_path / "thumbnails"
    folder.mkdir()
    for number in range(30):
        Image.new("RGB", (300, 200), (number, 0, 0)).save(folder / f"{number:02}.jpg")
    (folder / "broken.png").write_bytes(b"no image")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    album = swarm.insert(Images.album, str(folder), 60, str(thumbnails)).result(timeout=LONG)
    assert album["made"] == 30
    assert [Path(path).name for path, _ in album["failed"]] == ["broken.png"]
    assert "not an image" in album["failed"][0][1]
    made = list(thumbnails.iterdir())
    assert len(made) == 30
    assert album["bytes"] == sum(path.stat().st_size for path in made)
    for path in made:
        with Image.open(path) as image:
            assert image.size == (60, 40)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_one_thumbnail_tells_its_facts(swarm: Swarm, tmp_path: Path) -> None:
    Image.new("RGB", (100, 50)).save(tmp_path / "a.png")
    facts = swarm.insert("images.thumbnail", str(tmp_path / "a.png"), 20, str(tmp_path)).result(timeout=LONG)
    assert (facts["width"], facts["height"]) == (20, 10)
    assert Path(facts["thumbnail"]).stat().st_size == facts["bytes"]


def test_a_size_that_is_no_number_is_refused_with_the_reason(swarm: Swarm, tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="size"):
        swarm.insert("images.album", str(tmp_path), "large", str(tmp_path)).result(timeout=LONG)
