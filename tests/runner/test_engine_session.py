"""When the engine of a run starts and ends, and the monitors of its workers with it."""

import time
from contextlib import contextmanager

import pytest

from optibench.backends.common.reuse import Running
from optibench.errors import BenchmarkError, DataError
from optibench.measure.clock.phases import Recorder
from optibench.runner import engine_session
from optibench.runner.engine_session import EngineSession


class Engine:
    """An engine that lost no worker."""

    units_run_again = 0

    def __str__(self):
        return "the engine"


ENGINE = Engine()


class Start:
    """Of an engine that says nothing but what becomes of it."""

    def __init__(self, told):
        self.told = told

    def wait(self):
        return Running(ENGINE)

    @contextmanager
    def taken(self):
        self.told.append("taken")
        try:
            yield self.wait()
        finally:
            self.told.append("engine ends")


@pytest.fixture
def told(monkeypatch):
    """What happens, in order."""
    heard = []

    class Workers:
        interrupts = False

        def __init__(self, engine, _clock):
            heard.append(f"workers of {engine}")

        def __enter__(self):
            if Workers.interrupts:
                raise KeyboardInterrupt
            heard.append("watches begin")

        def __exit__(self, *_):
            heard.append("watches end")

        def stop(self):
            heard.append("watches are stopped")

    heard_of = heard
    heard_of.append(Workers)
    monkeypatch.setattr(engine_session, "WorkerMonitors", Workers)
    return heard


@contextmanager
def an_engine(told):
    with (
        Recorder(time.perf_counter()) as clock,
        EngineSession(Start(told), clock) as it,
    ):
        yield it


@contextmanager
def noted(told):
    try:
        yield
    finally:
        told.append("record is written")


def end_with(error, told):
    """A run that fails once its engine is up."""

    def fail():
        with an_engine(told) as engine:
            engine.engine()
            raise error

    with pytest.raises(error):
        fail()


def words(told):
    return [word for word in told if isinstance(word, str)]


def test_what_is_beside_the_engine_ends_before_it(told):
    with an_engine(told) as engine:
        engine.engine()
        assert engine.engine() is ENGINE
        assert engine.take() is ENGINE
        engine.register_cleanup(noted(told))
        engine.close()
        told.append("closed")
    begun = ["workers of the engine", "watches begin", "taken"]
    assert words(told) == [*begun, "record is written", "watches end", "engine ends", "closed"]


def test_an_engine_that_nobody_asked_for_is_not_waited_for(told):
    with pytest.raises(BenchmarkError), an_engine(told):
        raise BenchmarkError
    assert words(told) == []


def test_wrong_data_end_the_watches_and_not_the_engine(told):
    end_with(DataError, told)
    assert words(told)[2:] == ["watches end", "watches are stopped"]


@pytest.mark.parametrize("error", [BenchmarkError, KeyboardInterrupt])
def test_any_other_error_ends_the_engine_that_it_was_at(told, error):
    end_with(error, told)
    assert words(told)[2:] == ["taken", "watches end", "engine ends"]


def test_watches_whose_beginning_is_interrupted_are_ended(told):
    told[0].interrupts = True
    with pytest.raises(KeyboardInterrupt), an_engine(told) as engine:
        engine.engine()
    assert words(told) == ["workers of the engine", "taken", "watches end", "engine ends"]
