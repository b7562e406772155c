"""backend=sklearn: worker processes of joblib's loky on this machine."""
