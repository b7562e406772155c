"""From blocks to chunks: every row once, the same rows however the table is dealt out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from optibench.errors import DataError
from optibench.evaluation.parts import PartPlan
from optibench.records import HELD_OUT, Block, Chunk
from optibench.strategies.data_parallel.chunks import (
    ChunkReader,
    TableInMemory,
    batches_of,
    shares_of,
)
from optibench.strategies.data_parallel.parts import Parts, survey

PLAN = PartPlan(3, 0.25, 3)


def table(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(10.0, 3.0, (n_rows, 4))
    X[:, 0] = np.arange(n_rows)  # says which row it is
    return TableInMemory("table", X, (X[:, 1] > 10).astype(np.int64))


def by_part(chunks):
    parts = {chunk.part for chunk in chunks}
    return {
        part: Chunk.join([chunk for chunk in chunks if chunk.part == part]).in_order()
        for part in parts
    }


@given(n_rows=st.integers(1, 400), workers=st.integers(1, 7))
def test_every_row_is_in_one_chunk_whatever_the_number_of_workers(n_rows, workers):
    held = table(n_rows)
    reader = ChunkReader(PLAN, None, None, "float64")
    alone = by_part(reader(held, held.blocks))
    batches = [batch for share in shares_of(held.blocks, workers, 4) for batch in share]
    shared = by_part([chunk for batch in batches for chunk in reader(held, batch)])
    assert [block for batch in batches for block in batch] == list(held.blocks)
    assert sorted(row for chunk in alone.values() for row in chunk.X[:, 0]) == list(range(n_rows))
    assert alone.keys() == shared.keys()
    for part, chunk in alone.items():
        assert np.array_equal(chunk.X, shared[part].X)
        assert np.array_equal(chunk.y, shared[part].y)


def test_shares_are_about_equally_large_and_none_is_empty():
    blocks = [Block("f", 10 * i, 10) for i in range(41)]
    shares = shares_of(blocks, 4, width=1)
    sizes = [sum(block.n_rows for (batch,) in [share] for block in batch) for share in shares]
    assert sum(sizes) == 410
    assert max(sizes) - min(sizes) <= 10
    assert shares_of(blocks[:2], 4, width=1) == [[blocks[:1]], [blocks[1:2]]]


def test_a_share_is_read_in_batches_that_a_worker_can_hold():
    blocks = [Block("f", 10**6 * i, 10**6) for i in range(20)]
    batches = batches_of(blocks, width=2)
    assert [block for batch in batches for block in batch] == blocks
    assert {len(batch) for batch in batches} == {2}  # 2 x 10^6 x 2 x 8 bytes
    assert {len(batch) for batch in batches_of(blocks, width=100)} == {1}


def test_the_train_rows_are_scaled_as_by_scikit_learn():
    held = table()
    parts = Parts.make(PLAN, survey(held, held.blocks, PLAN), scale=True)
    chunks = parts.reader("float64")(held, held.blocks)
    raw = ChunkReader(PLAN, None, None, "float64")(held, held.blocks)
    train = np.concatenate([chunk.X for chunk in raw if chunk.part != HELD_OUT])
    scaler = StandardScaler().fit(train)
    for scaled, plain in zip(chunks, raw, strict=True):
        assert pytest.approx(scaler.transform(plain.X), rel=1e-9, abs=1e-12) == scaled.X


def test_what_is_known_of_parts_is_what_is_in_them():
    held = table()
    parts = Parts.make(PLAN, survey(held, held.blocks, PLAN), scale=False)
    raw = by_part(ChunkReader(PLAN, None, None, "float64")(held, held.blocks))
    for part, chunk in raw.items():
        assert parts.n_rows([part]) == len(chunk.X)
        assert [parts.of[part].classes[c] for c in (0, 1)] == np.bincount(chunk.y).tolist()
    train = np.concatenate([raw[part].X for part in range(3)])
    labels = np.concatenate([raw[part].y for part in range(3)])
    assert parts.spread(parts.train) == pytest.approx(train.var(axis=0).mean())
    assert parts.constant(2) == pytest.approx(np.bincount(labels) / len(labels))
    assert parts.without(1) == {0, 2}


def test_a_fold_without_rows_or_without_a_class_is_refused():
    few = table(6)
    parts = Parts.make(PLAN, survey(few, few.blocks, PLAN), scale=False)
    with pytest.raises(
        DataError, match=r"parts by a hash, and .* got [01] of 6 rows; .* Use more"
    ):
        parts.check(2)
    lacking = table()
    lacking = TableInMemory("table", lacking.X, np.where(lacking.X[:, 0] == 7, 1, 0))
    parts = Parts.make(PLAN, survey(lacking, lacking.blocks, PLAN), scale=False)
    with pytest.raises(DataError, match="have none of the class with code 1"):
        parts.check(2)


def test_a_part_of_a_chunk_is_the_same_rows():
    chunk = Chunk(0, np.arange(8.0).reshape(4, 2), np.arange(4), np.array([5, 1, 9, 3], np.uint64))
    assert chunk.below(2**64) is chunk
    assert chunk.below(5).y.tolist() == [1, 3]
    assert chunk.in_order().y.tolist() == [1, 3, 0, 2]
    assert Chunk.join([chunk, chunk.below(4)]).y.tolist() == [0, 1, 2, 3, 1, 3]
