"""Chunks in files are the chunks themselves, and leave nothing behind."""

import gc
import pickle

import numpy as np
import pytest

from optibench.records import Chunk


@pytest.fixture(params=[True, False], ids=["with y", "without y"])
def chunk(request):
    y = np.arange(4) if request.param else None
    return Chunk(2, np.arange(8.0).reshape(4, 2), y, np.array([5, 1, 9, 3], np.uint64))


def same(one, other):
    pairs = [(one.X, other.X), (one.y, other.y), (one.order, other.order)]
    return one.part == other.part and all(np.array_equal(a, b) for a, b in pairs)


def test_a_stored_chunk_is_the_same_rows(chunk, tmp_path):
    stored = chunk.stored(str(tmp_path))
    assert stored.shape == chunk.shape == (4, 2)
    assert same(stored.loaded(), chunk)
    assert np.array_equal(stored.mapped(), chunk.mapped())
    assert same(stored.below(5), chunk.below(5))
    assert same(stored.targets(5), chunk.targets(5))
    assert chunk.targets(5).X.shape == (2, 0)
    travelled = pickle.loads(pickle.dumps(stored))  # noqa: S301 - our own
    assert isinstance(travelled, Chunk)
    assert same(travelled, chunk)


def test_its_files_go_with_it(chunk, tmp_path):
    stored = chunk.stored(str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    del stored
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_engines_receive_its_size(tmp_path):
    chunk = Chunk(0, np.zeros((1000, 10)), None, np.zeros(1000, np.uint64))
    assert chunk.__sizeof__() == 88_000
    assert 88_000 < chunk.stored(str(tmp_path)).__sizeof__() < 90_000
