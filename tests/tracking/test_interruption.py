"""Ctrl-C in the middle of a write."""

import os
import signal
import sqlite3
import threading

import pytest

from optibench.tracking.interruption import finished_first


@pytest.fixture(autouse=True)
def python_heeds_it():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def write(done, presses):
    with finished_first():
        for _ in range(presses):
            os.kill(os.getpid(), signal.SIGINT)
        done.append("written")


def test_a_write_is_finished_before_the_interruption_is_heeded():
    done = []
    with pytest.raises(KeyboardInterrupt):
        write(done, presses=1)
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interruption_is_heeded_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt):
        write(done, presses=2)
    assert done == []


def test_without_an_interruption_nothing_happens():
    with finished_first():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_of_a_caller_is_asked_afterwards():
    done = []
    signal.signal(signal.SIGINT, lambda *_: done.append("heeded"))
    write(done, presses=1)
    assert done == ["written", "heeded"]


def test_an_interruption_that_is_ignored_stays_ignored():
    done = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    write(done, presses=1)
    assert done == ["written"]


def test_an_error_comes_through():
    with pytest.raises(sqlite3.Error), finished_first():
        raise sqlite3.OperationalError


def test_another_thread_is_left_alone():
    seen = []

    def work():
        with finished_first():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
