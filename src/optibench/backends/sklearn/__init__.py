"""backend=sklearn: worker processes of joblib's loky on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.backends.sklearn.backend import SklearnBackend

if TYPE_CHECKING:
    from optibench.contracts import Backend

PLUGIN: type[Backend] = SklearnBackend
