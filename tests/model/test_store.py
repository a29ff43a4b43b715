"""The store: a bundle is in it whole and proven, or not at all, whatever stops whoever adds it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from model.bundle import MANIFEST, Bundle
from model.errors import BundleInvalid
from model.intake import MAX_BYTES, MAX_FILES
from model.store import Store
from tests.model.bundles import END, make, members, snapshot, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A sound bundle's folder."""
    return make(tmp_path / "source" / "plain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store's folder with another version in it."""
    Store(tmp_path / "store").add(make(tmp_path / "zero" / "plain", version="0"), prove=accept)
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder)


def accept(_: Bundle) -> None:
    """As if all golden images were read as they should be."""


def test_a_folder_is_stored_by_its_id(store: Store, folder: Path, source: Path) -> None:
    added = store.add(source, prove=accept)

    assert added == store.open("plain/1")
    assert added.folder == folder / "plain" / "1"
    assert snapshot(added.folder) == snapshot(source)
    assert {path.name for path in folder.iterdir()} == {".lock", "plain"}


def test_a_store_is_made_for_its_first_bundle(source: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "store")
    assert store.ids() == []
    assert not (tmp_path / "new").exists()

    store.add(source, prove=accept)

    assert store.ids() == ["plain/1"]


def test_a_store_stays_where_it_is_when_the_directory_changes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(Path("store"))
    monkeypatch.chdir("/")

    assert store.add(source, prove=accept).folder == tmp_path / "store/plain/1"


def test_folder_and_archive_are_the_same_bundle(store: Store, source: Path, tmp_path: Path) -> None:
    archive = write(tmp_path / "plain-1.tar.gz", members(source, "plain-1/") + END)

    first = store.add(archive, prove=accept)

    assert store.add(source, prove=accept) == first
    assert store.add(archive, prove=accept) == first
    assert store.ids() == ["plain/0", "plain/1"]


def test_what_is_stored_is_not_proven_again(store: Store, source: Path) -> None:
    proven: list[Bundle] = []

    for _ in range(3):
        store.add(source, prove=proven.append)

    assert len(proven) == 1


def test_another_content_under_one_id_is_refused(
    store: Store, folder: Path, source: Path, tmp_path: Path
) -> None:
    stored = store.add(source, prove=accept)
    before = snapshot(folder)
    other = make(tmp_path / "other" / "plain", weights=b"heavier")

    with pytest.raises(BundleInvalid, match=r"^.*other/plain: plain/1 is stored .*raise the versi"):
        store.add(other, prove=accept)

    assert snapshot(folder) == before
    assert store.open("plain/1") == stored


def test_the_digest_is_of_the_manifest(source: Path, tmp_path: Path) -> None:
    """So that ``sha256sum manifest.json`` shows it."""
    bundle = Bundle.open(source)

    assert bundle.digest == sha256((source / MANIFEST).read_bytes()).hexdigest()
    assert bundle.digest == Bundle.open(make(tmp_path / "again")).digest
    assert bundle.digest != Bundle.open(make(tmp_path / "more", weights=b"heavier")).digest
    assert bundle.digest != Bundle.open(make(tmp_path / "next", version="2")).digest


def test_links_that_lead_to_a_bundle_are_followed(
    store: Store, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "current").symlink_to(source, target_is_directory=True)

    assert store.add(tmp_path / "current", prove=accept).id == "plain/1"


def test_litter_of_a_folder_is_left_out(store: Store, source: Path) -> None:
    expected = snapshot(source)
    for litter in [".DS_Store", "members/Thumbs.db", "golden/._1.png"]:
        (source / litter).write_bytes(b"litter")

    assert snapshot(store.add(source, prove=accept).folder) == expected


# What is listed


def test_the_oldest_addition_comes_first(store: Store, tmp_path: Path) -> None:
    for number, version in enumerate(["10", "9", "9.1", "1b"]):
        store.add(make(tmp_path / str(number), version=version), prove=accept)
    store.add(make(tmp_path / "other", name="a"), prove=accept)
    store.add(make(tmp_path / "longer", name="plain-too"), prove=accept)

    versions = ["plain/0", "plain/10", "plain/9", "plain/9.1", "plain/1b"]
    assert store.ids() == [*versions, "a/1", "plain-too/1"]
    assert store.ids("plain") == versions
    assert store.ids("absent") == []
    assert store.ids("../store/plain") == []


def test_the_order_outlives_a_clock_that_was_ahead(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    ahead = time.time_ns() + 10**18
    os.utime(folder / "plain/0", ns=(ahead, ahead))

    for version in ["3", "2", "1"]:
        store.add(make(tmp_path / version, version=version), prove=accept)

    assert store.ids() == ["plain/0", "plain/3", "plain/2", "plain/1"]


def test_what_is_no_bundle_s_folder_is_not_listed(store: Store, folder: Path) -> None:
    for other in [".scratch-x/1", "lost+found/1", "plain/.x", "Plain/1", "plain/1 2"]:
        (folder / other).mkdir(parents=True)
    (folder / "plain/file").touch()
    (folder / "file").touch()
    (folder / "plain/link").symlink_to("/")

    assert store.ids() == ["plain/0"]


# What is opened and removed


def test_a_removed_bundle_is_gone_and_its_like_are_not(store: Store, folder: Path) -> None:
    before = snapshot(folder)
    make(folder.parent / "next", version="1")
    store.add(folder.parent / "next", prove=accept)

    store.remove("plain/1")

    assert snapshot(folder) == before
    with pytest.raises(BundleInvalid, match="holds no plain/1"):
        store.open("plain/1")
    store.remove("plain/0")
    assert snapshot(folder) == {}


HOSTILE_IDS = [
    "",
    "plain",
    "plain/",
    "/0",
    "plain/0/",
    "plain/0/members",
    "plain/..",
    "plain/.",
    "../outside/0",
    "plain/../../outside/0",
    "..",
    "/etc",
    "/etc/passwd",
    "plain/0\n",
    "plain/0\0",
    "plain\\0",
    "PLAIN/0",
    "plаin/0",  # noqa: RUF001 - a Cyrillic letter
    ".scratch-x/bundle",
    "plain/" + "0" * 1_000,
]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
@pytest.mark.parametrize("use", [Store.open, Store.remove])
def test_a_hostile_id_does_not_leave_the_store(
    use: Callable[[Store, str], Any], hostile: str, store: Store, folder: Path
) -> None:
    make(folder.parent / "outside" / "0", version="0")
    before = snapshot(folder.parent)

    with pytest.raises(BundleInvalid, match="is no id of a bundle") as raised:
        use(store, hostile)

    assert str(raised.value).isprintable()
    assert snapshot(folder.parent) == before


@pytest.mark.parametrize("use", [Store.open, Store.remove])
@pytest.mark.parametrize("unknown", ["plain/1", "other/0"])
def test_an_unknown_id_is_told(
    use: Callable[[Store, str], Any], unknown: str, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(BundleInvalid, match=f"holds no {unknown}"):
        use(store, unknown)
    with pytest.raises(BundleInvalid, match=f"holds no {unknown}"):
        use(Store(tmp_path / "absent"), unknown)
    assert not (tmp_path / "absent").exists()


def test_an_altered_bundle_is_not_opened(store: Store, folder: Path) -> None:
    (folder / "plain/0/members/1.pb").write_bytes(b"altered")

    with pytest.raises(BundleInvalid, match=r"members/1\.pb is not the file the manifest names"):
        store.open("plain/0")


def test_a_bundle_under_the_name_of_another_is_not_opened(store: Store, folder: Path) -> None:
    (folder / "plain/0").rename(folder / "plain/1")

    with pytest.raises(BundleInvalid, match=r"plain/1 is of another bundle, plain/0"):
        store.open("plain/1")


# What is refused


def linked_file(source: Path) -> None:
    shutil.move(source / "members/1.pb", source.parent / "elsewhere.pb")
    (source / "members/1.pb").symlink_to(source.parent / "elsewhere.pb")


def linked_folder(source: Path) -> None:
    shutil.move(source / "members", source.parent / "elsewhere")
    (source / "members").symlink_to(source.parent / "elsewhere", target_is_directory=True)


def endless_link(source: Path) -> None:
    (source / "members/all").symlink_to(source, target_is_directory=True)


def huge(source: Path) -> None:
    """Of holes alone."""
    with (source / "members/1.pb").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)


def many(source: Path) -> None:
    for number in range(MAX_FILES):
        (source / f"members/{number}").touch()


def not_utf8(source: Path) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\n")).touch()


def altered(source: Path) -> None:
    (source / "members/1.pb").write_bytes(b"altered")


def without_manifest(source: Path) -> None:
    (source / MANIFEST).unlink()


def deep(source: Path) -> None:
    (source / "1/2/3/4/5/6/7/8/9").mkdir(parents=True)


DAMAGES: list[tuple[Callable[[Path], Any], str]] = [
    (linked_file, r"members/1\.pb is a link"),
    (linked_folder, r"members is a link"),
    (endless_link, r"members/all is a link"),
    (huge, r"members/1\.pb it has more than 1,073,741,824 bytes"),
    (many, r"has more than 1,000 files"),
    (not_utf8, r"\\udcff\\n' is not UTF-8"),
    (altered, r"members/1\.pb is not the file the manifest names"),
    (without_manifest, r"manifest\.json is missing"),
    (deep, r"1/2/3/4/5/6/7/8/9 lies deeper than 8 levels"),
    (lambda source: (source / "members/.x").touch(), r"members/\.x is hidden"),
    (lambda source: (source / ".git").mkdir(), r"\.git is hidden"),
    (lambda source: (source / "members/3.pb").touch(), r"not in the manifest: members/3\.pb"),
    (lambda source: (source / "members/1.PB").touch(), r"are one name to some disks"),
    (lambda source: (source / "members/2.pb").unlink(), r"missing: members/2\.pb"),
    (lambda source: os.mkfifo(source / "pipe"), r"pipe is neither a file nor a folder"),
    (lambda source: os.mkfifo(source / "Thumbs.db"), r"Thumbs\.db is neither a file nor"),
]


def refused(store: Store, source: Path, prove: Callable[[Bundle], None] = accept) -> str:
    """The line about what must not get into the store, nor change it."""
    folder = store.open("plain/0").folder.parents[1]
    before = snapshot(folder)
    with pytest.raises(BundleInvalid) as raised:
        store.add(source, prove)
    assert snapshot(folder) == before
    line = str(raised.value)
    assert line.isprintable()
    assert line.startswith(str(source))
    return line


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_folder_is_refused(
    damage: Callable[[Path], Any], message: str, store: Store, source: Path
) -> None:
    damage(source)

    assert re.search(message, refused(store, source))


def test_a_folder_that_cannot_be_listed_is_refused(
    store: Store, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not stop root, who may run this test: so the refusal is injected."""
    opened = os.open

    def denied(path: Any, *arguments: Any, **options: Any) -> int:
        if path == "golden":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", denied)

    assert "cannot be stored: [Errno 13] Permission denied" in refused(store, source)


def test_a_file_that_shrinks_while_it_is_copied_is_refused(
    store: Store, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def shorten(path: Any, *arguments: Any, **options: Any) -> int:
        if path == "2.pb":
            os.truncate(source / "members/2.pb", 3)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", shorten)

    assert re.search(r"members/2\.pb ends before its [0-9]+ bytes", refused(store, source))


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_what_proves_false_is_refused(
    kind: str, store: Store, source: Path, tmp_path: Path
) -> None:
    def read(bundle: Bundle) -> None:
        assert bundle.path(bundle.manifest.golden[0].image).is_file()
        raise BundleInvalid(f"{bundle.id}: golden/1.png reads '綠',\n  the manifest says '紅'")

    if kind == "archive":
        source = write(tmp_path / "plain.tar.gz", members(source) + END)

    line = refused(store, source, prove=read)

    assert "plain/1: golden/1.png reads '綠', the manifest says '紅'" in line


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_stops_the_proof_leaves_nothing(
    error: type[BaseException], store: Store, folder: Path, source: Path
) -> None:
    def stop(_: Bundle) -> None:
        raise error

    before = snapshot(folder)
    with pytest.raises(error):
        store.add(source, prove=stop)

    assert snapshot(folder) == before
    assert store.add(source, prove=accept).id == "plain/1"


def test_a_bundle_that_finds_no_room_is_refused_unwritten(
    store: Store, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(source)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("a file was written"))

    assert re.search("the disk is full: .* bytes, 100 are free", refused(store, source))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["plain", "new"])
def test_a_disk_that_is_full_at_any_step_leaves_nothing(
    name: str,
    code: int,
    store: Store,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Disks promise room and break it when it is claimed."""
    fsync, calls = os.fsync, 0

    def fail_once(file: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(code, os.strerror(code))
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail_once)
    source = make(tmp_path / "other" / "plain", name=name)
    # Four files, three folders; then the folders in which the bundle's own is put.
    for failing in range(1, 10):
        calls = 0
        assert "the disk of" in refused(store, source)
        assert calls == failing
    failing, calls = 0, 0
    assert store.add(source, prove=accept).id == f"{name}/1"
    assert calls == 9


@pytest.mark.parametrize("missing", ["absent", "absent/there"])
def test_a_source_that_is_not_there_is_refused(missing: str, store: Store, tmp_path: Path) -> None:
    assert "is missing" in refused(store, tmp_path / missing)


def test_a_store_that_cannot_be_made_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BundleInvalid, match=r"cannot be stored: .*file"):
        Store(tmp_path / "file").add(source, prove=accept)


# Several writers


CHILD = """
import sys
from pathlib import Path
from model.store import Store

def prove(bundle):
    print(bundle.folder, flush=True)
    sys.stdin.read()

Store(Path(sys.argv[1])).add(Path(sys.argv[2]), prove)
"""


def test_what_a_killed_writer_leaves_is_swept_by_the_next(
    store: Store, folder: Path, source: Path, tmp_path: Path
) -> None:
    before = snapshot(folder)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, folder, source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout
        left = Path(child.stdout.readline().strip())
        child.send_signal(signal.SIGKILL)
    (folder / "halfway").mkdir()  # killed between making this and filling it
    assert Bundle.open(left).id == "plain/1"
    assert store.ids() == ["plain/0"]

    found: list[bool] = []
    store.add(
        make(tmp_path / "two", version="2"), prove=lambda _: found.append(left.parent.exists())
    )
    store.remove("plain/2")

    assert found == [False]
    assert snapshot(folder) == before


def is_locked(folder: Path) -> bool:
    """Whether another writer would have to wait."""
    with (folder / ".lock").open("r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_writer_has_the_store_for_itself(store: Store, folder: Path, source: Path) -> None:
    seen: list[bool] = []

    store.add(source, prove=lambda _: seen.append(is_locked(folder)))

    assert seen == [True]
    assert not is_locked(folder)


def test_who_was_forked_meanwhile_holds_up_nobody(store: Store, folder: Path, source: Path) -> None:
    """A child has every open file of its parent, as a duplicate."""
    duplicates: list[int] = []

    def fork(_: Bundle) -> None:
        links = list(Path("/proc/self/fd").iterdir())
        locks = [int(link.name) for link in links if link.resolve() == folder / ".lock"]
        duplicates.extend(os.dup(lock) for lock in locks)

    store.add(source, prove=fork)

    assert len(duplicates) == 1
    assert not is_locked(folder)
    os.close(duplicates[0])


def test_many_writers_store_a_bundle_once(store: Store, folder: Path, source: Path) -> None:
    proven: list[Bundle] = []
    together = threading.Barrier(8)

    def add(_: int) -> Bundle:
        together.wait()
        return Store(folder).add(source, prove=proven.append)

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(add, range(8)))

    assert added == [store.open("plain/1")] * 8
    assert len(proven) == 1
    assert {path.name for path in folder.iterdir()} == {".lock", "plain"}


def test_readers_see_whole_bundles_while_others_write(
    store: Store, folder: Path, source: Path
) -> None:
    done = threading.Event()

    def write_and_remove() -> None:
        try:
            for _ in range(20):
                Store(folder).add(source, prove=accept)
                Store(folder).remove("plain/1")
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write_and_remove)
        while not done.is_set():
            assert store.ids() in (["plain/0"], ["plain/0", "plain/1"])
            assert store.open("plain/0").id == "plain/0"
        writer.result()
