"""Checkpoints of fits on disk between two rungs."""

import tempfile

from optibench.trials.checkpoints import Checkpoints


def test_a_fit_is_given_back_until_it_is_dropped_and_no_file_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fits = Checkpoints()
    fits.drop("nothing")
    assert fits.get("a") is None
    assert list(tmp_path.iterdir()) == []
    fits.put("a", b"first")
    fits.put("b", b"second")
    assert (fits.get("a"), fits.get("b")) == (b"first", b"second")
    fits.drop("a")
    assert fits.get("a") is None
    assert len(list(tmp_path.rglob("*"))) == 2
    fits.close()
    assert list(tmp_path.iterdir()) == []
    fits.put("c", b"third")
    assert fits.get("c") == b"third"
    fits.close()
