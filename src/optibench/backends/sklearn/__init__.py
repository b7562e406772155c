"""backend=sklearn: worker processes of joblib's loky on this machine."""

from optibench.backends.sklearn.backend import SklearnBackend

PLUGIN = SklearnBackend
