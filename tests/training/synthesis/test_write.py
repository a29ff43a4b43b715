import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.training.data.dataset import load
from model.training.errors import DataError
from model.training.synthesis.stream import Stream
from model.training.synthesis.write import Settings, write
from tests.training.world import LABELS


@pytest.fixture
def settings(shapes: Path) -> Settings:
    return Settings(shapes, LABELS, seed=1, isnull_share=0.3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_and_a_tar_hold_the_same_and_can_be_loaded(
    settings: Settings, tmp_path: Path
) -> None:
    write(settings, tmp_path / "folder", 12, 1)
    write(settings, tmp_path / "some.tar", 12, 1)

    files = contents(tmp_path / "folder")
    stream = settings.stream()
    made = {number: stream.made(number) for number in range(12)}
    assert files == {
        "_".join(filter(None, (str(number), image.foreign, LABELS[image.target])))
        + ".jpg": image.jpeg
        for number, image in made.items()
    }
    assert {bool(image.foreign) for image in made.values()} == {True, False}
    assert not [image for image in made.values() if image.foreign in LABELS and image.foreign]
    with tarfile.open(tmp_path / "some.tar") as archive:
        assert archive.getnames()[:1] == [name for name in files if name.startswith("0_")]
    loaded = load(tmp_path / "some.tar", LABELS, 32, tmp_path / "cache")
    assert len(loaded) == 12
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_several_processes_write_what_one_does(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.training.synthesis.write.CHUNK", 3)
    write(settings, tmp_path / "one", 8, 1)
    write(settings, tmp_path / "two", 8, 2)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_interrupted_call_is_gone_on_with(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    kept = Stream.made

    def interrupted(stream: Stream, number: int) -> object:
        drawn.append(number)
        if len(drawn) == 6:
            raise KeyboardInterrupt
        return kept(stream, number)

    monkeypatch.setattr(Stream, "made", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(settings, tmp_path / "out", 9, 1)
    assert not (tmp_path / "out").exists()
    (partial,) = (path for path in tmp_path.iterdir() if path.name.startswith(".out-"))
    (partial / ".7").write_bytes(b"half an im")
    write(settings, tmp_path / "out", 9, 1)

    assert drawn == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8]
    assert len(contents(tmp_path / "out")) == 9


def test_what_exists_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1_A.jpg").write_bytes(b"dear")

    with pytest.raises(DataError, match="exists"):
        write(settings, tmp_path / "out", 3, 1)

    assert contents(tmp_path / "out") == {"1_A.jpg": b"dear"}


def test_what_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        write(settings, tmp_path / "file" / "out", 3, 1)


def test_the_key_is_of_everything_that_matters(settings: Settings) -> None:
    others = [
        replace(settings, seed=2),
        replace(settings, isnull_share=0.2),
        replace(settings, labels=("A", "isnull")),
    ]
    before = settings.key
    (settings.shapes / "more.json").write_text("{}", encoding="utf-8")

    assert len({before, settings.key, *(other.key for other in others)}) == 5
    assert np.unique([settings.key, replace(settings).key]).size == 1
