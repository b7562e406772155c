"""Which rows are held out and which fold each other one validates, from a hash alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optibench.evaluation.parts import (
    PartPlan,
    part_numbers,
    row_keys,
    sample_limit,
    sampling_order,
)
from optibench.records import HELD_OUT

MASK = 2**64 - 1


def mix(z):
    """The output function of splitmix64, in Python's own integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@given(
    seed=st.integers(0, 2**32 - 1),
    file=st.text(max_size=20),
    first=st.integers(0, 2**40),
    n=st.integers(0, 50),
)
def test_keys_are_those_of_splitmix64(seed, file, first, n):
    start = int.from_bytes(
        hashlib.blake2b(f"{seed}\0{file}".encode(), digest_size=8).digest(), "little"
    )
    keys = [mix((start + (first + i) * 0x9E3779B97F4A7C15) & MASK) for i in range(n)]
    assert row_keys(seed, file, first, n).tolist() == keys


@given(cut=st.integers(0, 100))
def test_a_row_has_its_key_in_whichever_block_it_is_read(cut):
    whole = row_keys(0, "a.parquet", 0, 100)
    both = [row_keys(0, "a.parquet", 0, cut), row_keys(0, "a.parquet", cut, 100 - cut)]
    assert np.array_equal(whole, np.concatenate(both))


@settings(max_examples=settings().max_examples // 2)
@given(
    seed=st.integers(0, 2**32 - 1),
    test_size=st.floats(0.05, 0.5),
    folds=st.integers(1, 10),
)
def test_parts_have_the_shares_asked_for_up_to_chance(seed, test_size, folds):
    n = 20_000
    plan = PartPlan(seed, test_size, folds)
    parts = part_numbers(row_keys(seed, "table", 0, n), plan)
    shares = {HELD_OUT: test_size} | dict.fromkeys(range(folds), (1 - test_size) / folds)
    assert set(np.unique(parts)) == set(shares)
    for part, share in shares.items():
        found = np.count_nonzero(parts == part)
        assert abs(found - n * share) < 6 * np.sqrt(n * share * (1 - share))


def test_the_ends_of_the_range_are_parts_too():
    keys = np.array([0, MASK], dtype=np.uint64)
    assert part_numbers(keys, PartPlan(0, 0.2, 5)).tolist() == [HELD_OUT, 4]


def test_other_seeds_and_other_files_deal_otherwise():
    plan = PartPlan(0, 0.2, 5)
    parts = [
        part_numbers(row_keys(seed, file, 0, 1000), plan)
        for seed, file in [(0, "a"), (1, "a"), (0, "b")]
    ]
    for i in range(3):
        for j in range(i):
            assert 0.1 < np.mean(parts[i] == parts[j]) < 0.35  # 0.2 expected for each of 5 + 1


def test_a_sample_is_of_about_the_rows_asked_for_and_of_every_part_alike():
    keys = row_keys(0, "table", 0, 50_000)
    parts, order = part_numbers(keys, PartPlan(0, 0.2, 4)), sampling_order(keys)
    sampled = order < sample_limit(50_000, 5_000)
    assert sampled.sum() == pytest.approx(5_000, abs=6 * np.sqrt(5_000))
    for part in np.unique(parts):
        assert sampled[parts == part].mean() == pytest.approx(0.1, abs=0.02)
    assert np.array_equal(np.sort(order), np.unique(order))
    assert (order < sample_limit(50_000, 50_000)).all()
