"""Fetching: packages from the npm registry, made into shapes, and kept."""

import hashlib
import multiprocessing
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from fontTools.ttLib import TTLibError
from tqdm import tqdm

from model.training.errors import DataError
from model.training.synthesis.convert import font_of, strokes_of
from model.training.synthesis.packages import FONTS, STROKES, Package
from model.training.synthesis.shapes import repertoire
from npm.package import Unavailable


def fetched(
    cache: Path,
    labels: tuple[str, ...],
    processes: int,
    packages: Sequence[Package] = (STROKES, *FONTS),
) -> Path:
    """The folder below `cache` with the shapes of every package for this label list.

    What is missing is fetched. Making a font of a package takes half a minute, once. Raises
    DataError when a package cannot be fetched, is not the one that is pinned, or when the cache
    cannot be written.
    """
    characters = "".join(sorted(repertoire(labels)))
    folder = cache / f"shapes-{hashlib.sha256(characters.encode()).hexdigest()[:12]}"
    missing = [package for package in packages if not _file(folder, package).exists()]
    if not missing:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write the cache {folder}: {error}") from error
    done = _kept(folder, missing, characters, processes)
    for _ in tqdm(done, "fetching", len(missing), unit="package", disable=None):
        pass
    return folder


def _kept(
    folder: Path, packages: list[Package], characters: str, processes: int
) -> Iterator[Package]:
    """Each of the packages as soon as its shapes are in the folder."""
    if processes == 1 or len(packages) == 1:
        yield from (_keep(folder, package, characters) for package in packages)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            jobs = [pool.submit(_keep, folder, package, characters) for package in packages]
            yield from (job.result() for job in as_completed(jobs))
        finally:
            pool.shutdown(cancel_futures=True)


def _file(folder: Path, package: Package) -> Path:
    return folder / f"{package.slug}{'.json' if package.strokes else '.ttf'}"


def _keep(folder: Path, package: Package, characters: str) -> Package:
    """Fetch one package and put its shapes into the folder, whole or not at all."""
    try:
        data = package.fetch()
    except Unavailable as error:
        raise DataError(
            f"{error}. Without network, give a folder of fonts of your own: --fonts"
        ) from error
    try:
        made = (strokes_of if package.strokes else font_of)(data, characters)
    except (tarfile.TarError, TTLibError, ValueError, KeyError) as error:
        raise DataError(f"{package.slug} is of another kind than expected: {error}") from error
    path = _file(folder, package)
    try:
        beside = path.with_suffix(".part")
        beside.write_bytes(made)
        beside.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error}") from error
    return package
