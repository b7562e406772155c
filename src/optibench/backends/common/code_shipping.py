"""Code that remote workers need: this package and the user's own modules, as archives.

Remote workers always run the driver's code, whatever version they have installed: an archive comes
first where they look for modules. Packages that are installed in the driver's environment are not
shipped; workers must have the same version (`compatibility.check_versions`).
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

PACKAGE = "optibench"
SITE_FOLDERS = frozenset({"site-packages", "dist-packages"})
EXCLUDED = frozenset({"__pycache__"})
MAX_BYTES = 64 * 2**20  # of a user's package; one that contains data has to be installed
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that equal files make equal archives


@dataclass(frozen=True)
class Archive:
    """Modules in a zip file.

    Attributes:
        stem: equal for every version of these modules.
        names: top-level modules in the archive.
    """

    stem: str
    names: tuple[str, ...]
    content: bytes

    @property
    def filename(self) -> str:
        """A name that changes with the content."""
        return f"{self.stem}-{hashlib.sha256(self.content).hexdigest()[:16]}.zip"


def archives(modules: Sequence[str]) -> list[Archive]:
    """Return what remote workers need to import `modules`: this package and the user's own code.

    The user's code is every loaded module in the folder of a module, because a module may import
    its neighbours.

    Raises:
        EngineError: a package of the user is too large to be shipped.
    """
    result = [_archive(PACKAGE, [_path_of(PACKAGE)])]
    folders = {path.parent: path for name in top_level(modules) if (path := _user_path(name))}
    for folder, first in folders.items():
        loaded = [path for name in top_level(sys.modules) if (path := _user_path(name))]
        neighbours = {path for path in loaded if path.parent == folder}
        result.append(_archive(f"{PACKAGE}-for-{first.stem}", sorted(neighbours)))
    return result


def top_level(modules: Iterable[str]) -> list[str]:
    """Return the top-level packages of modules, without this package."""
    names = dict.fromkeys(module.partition(".")[0] for module in modules)
    return [name for name in names if name not in (PACKAGE, "__main__", "__mp_main__")]


def put_first(path: str, stem: str, names: Sequence[str]) -> None:
    """Search `path` first for modules, in a worker; drop an earlier archive and its modules."""
    if path in sys.path:
        return
    earlier = [entry for entry in sys.path if Path(entry).name.startswith(f"{stem}-")]
    sys.path[:] = [path, *(entry for entry in sys.path if entry not in earlier)]
    for module in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[module]
    importlib.invalidate_caches()


def _user_path(name: str) -> Path | None:
    """Return the path of a module that is not installed; None for installed and built-in ones."""
    path = _path_of(name)
    if path is None or path.suffix not in ("", ".py"):
        return None
    library = Path(sysconfig.get_path("stdlib")).resolve()
    is_installed = SITE_FOLDERS.intersection(path.parts) or path.is_relative_to(library)
    return None if is_installed else path


def _path_of(name: str) -> Path | None:
    """Return the folder of a package or the file of a module."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    folders = list(getattr(spec, "submodule_search_locations", None) or ())
    location = folders[0] if folders else getattr(spec, "origin", None)
    return Path(location).resolve() if location and Path(location).exists() else None


def _archive(stem: str, paths: Sequence[Path | None]) -> Archive:
    buffer, names, size = io.BytesIO(), [], 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in filter(None, paths):
            names.append(path.stem)
            for file, inside in _files(path):
                size += file.stat().st_size
                if size > MAX_BYTES:
                    msg = (
                        f"The package {path} is too large to be sent to the workers (more than "
                        f"{MAX_BYTES // 2**20} MiB). Install it here and on the workers, or move "
                        "its data to another folder."
                    )
                    raise EngineError(msg)
                archive.writestr(zipfile.ZipInfo(inside, FIXED_TIME), file.read_bytes())
    return Archive(stem, tuple(names), buffer.getvalue())


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file of a module with its name in an archive; of this package only the code."""
    if path.is_file():
        yield path, path.name
        return
    pattern = "*.py" if path.name == PACKAGE else "*"
    for file in sorted(path.rglob(pattern)):
        inside = file.relative_to(path.parent)
        if file.is_file() and not EXCLUDED.intersection(inside.parts):
            yield file, inside.as_posix()
