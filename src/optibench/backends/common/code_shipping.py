"""Code that workers on other machines need: this package and the user's own modules, as archives.

Workers elsewhere always run the driver's code, whatever version of it they have: an archive comes
first where they look for modules. Packages that are installed here do not travel; the workers have
them in the same version (`compatibility.check_versions`).
"""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OWN = "optibench"
INSTALLED = frozenset({"site-packages", "dist-packages"})
NOT_CARRIED = frozenset({"__pycache__"})
MOST_BYTES = 64 * 2**20  # of a user's package: whoever keeps data in it installs it
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that equal files make equal archives


@dataclass(frozen=True)
class Archive:
    """Modules in a zip file.

    Attributes:
        stem: the same for every version of these modules.
        names: of the modules at its top.
    """

    stem: str
    names: tuple[str, ...]
    content: bytes

    @property
    def filename(self) -> str:
        """Differs where the content does."""
        return f"{self.stem}-{hashlib.sha256(self.content).hexdigest()[:16]}.zip"


def archives(modules: Sequence[str]) -> list[Archive]:
    """What workers elsewhere need to import `modules`: this package, and what is the user's own.

    Of the user's, whatever of the same folder is loaded by now: what a module imports lies there.

    Raises:
        EngineError: a package of the user's is too large to be sent about.
    """
    found = [_archive(OWN, [_place(OWN)])]
    own = {place.parent: place for name in top_level(modules) if (place := _users(name))}
    for folder, first in own.items():
        loaded = [place for name in top_level(sys.modules) if (place := _users(name))]
        places = {place for place in loaded if place.parent == folder}
        found.append(_archive(f"{OWN}-for-{first.stem}", sorted(places)))
    return found


def top_level(modules: Iterable[str]) -> list[str]:
    """The packages of modules, this one left out."""
    names = dict.fromkeys(module.partition(".")[0] for module in modules)
    return [name for name in names if name not in (OWN, "__main__", "__mp_main__")]


def put_first(path: str, stem: str, names: Sequence[str]) -> None:
    """In a worker: look here first for `names`; forget an earlier archive, and what came of it."""
    if path in sys.path:
        return
    earlier = [entry for entry in sys.path if Path(entry).name.startswith(f"{stem}-")]
    sys.path[:] = [path, *(entry for entry in sys.path if entry not in earlier)]
    for module in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[module]
    importlib.invalidate_caches()


def _users(name: str) -> Path | None:
    """Where a module lies that is not installed; None for one that is, or is built in."""
    place = _place(name)
    if place is None or place.suffix not in ("", ".py"):
        return None
    library = Path(sysconfig.get_path("stdlib")).resolve()
    is_installed = INSTALLED.intersection(place.parts) or place.is_relative_to(library)
    return None if is_installed else place


def _place(name: str) -> Path | None:
    """The folder of a package, or the file of a module."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    folders = list(getattr(spec, "submodule_search_locations", None) or ())
    place = folders[0] if folders else getattr(spec, "origin", None)
    return Path(place).resolve() if place and Path(place).exists() else None


def _archive(stem: str, places: Sequence[Path | None]) -> Archive:
    buffer, names, size = io.BytesIO(), [], 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place in filter(None, places):
            names.append(place.stem)
            for path, inside in _files(place):
                size += path.stat().st_size
                if size > MOST_BYTES:
                    msg = (
                        f"The package {place} is too large to be sent to the workers (more than "
                        f"{MOST_BYTES // 2**20} MiB). Install it there and here, or keep data "
                        "elsewhere."
                    )
                    raise EngineError(msg)
                archive.writestr(zipfile.ZipInfo(inside, LONG_AGO), path.read_bytes())
    return Archive(stem, tuple(names), buffer.getvalue())


def _files(place: Path) -> Iterator[tuple[Path, str]]:
    """Every file of a module, and its name in an archive; of this package the code alone."""
    if place.is_file():
        yield place, place.name
        return
    pattern = "*.py" if place.name == OWN else "*"
    for path in sorted(place.rglob(pattern)):
        inside = path.relative_to(place.parent)
        if path.is_file() and not NOT_CARRIED.intersection(inside.parts):
            yield path, inside.as_posix()
