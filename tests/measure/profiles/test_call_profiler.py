"""What is profiled of the calls that workers get."""

import time

from optibench.measure.profiles.call_profiler import CallProfiler
from optibench.measure.profiles.merged_profile import merge


def much():
    for _ in range(200_000):
        time.perf_counter()


def little():
    return 7


def test_the_first_call_of_each_kind_is_profiled_whatever_the_others_have_cost():
    profiler = CallProfiler()
    profiler.hand_over()
    for _ in range(5):
        profiler.call(much)  # its cost is not soon earned
    assert [profiler.call(little) for _ in range(3)] == [7, 7, 7]
    merged = merge([profiler.hand_over()])
    assert {"much", "little"} <= {name for _, _, name in merged.stats}
    assert merged.profiled + merged.left_out == 8
    assert merged.left_out >= 4


def test_and_of_each_run():
    CallProfiler().call(much)
    profiler = CallProfiler()
    profiler.hand_over()
    profiler.call(much)
    assert merge([profiler.hand_over()]).profiled == 1
