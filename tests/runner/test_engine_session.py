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

    def __init__(self, recorded):
        self.recorded = recorded

    def wait(self):
        return Running(ENGINE)

    @contextmanager
    def taken(self):
        self.recorded.append("taken")
        try:
            yield self.wait()
        finally:
            self.recorded.append("engine ends")


@pytest.fixture
def recorded(monkeypatch):
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
def an_engine(recorded):
    with (
        Recorder(time.perf_counter()) as clock,
        EngineSession(Start(recorded), clock) as it,
    ):
        yield it


@contextmanager
def noted(recorded):
    try:
        yield
    finally:
        recorded.append("record is written")


def end_with(error, recorded):
    """A run that fails once its engine is up."""

    def fail():
        with an_engine(recorded) as engine:
            engine.engine()
            raise error

    with pytest.raises(error):
        fail()


def words(recorded):
    return [word for word in recorded if isinstance(word, str)]


def test_what_is_beside_the_engine_ends_before_it(recorded):
    with an_engine(recorded) as engine:
        engine.engine()
        assert engine.engine() is ENGINE
        assert engine.take() is ENGINE
        engine.register_cleanup(noted(recorded))
        engine.close()
        recorded.append("closed")
    begun = ["workers of the engine", "watches begin", "taken"]
    assert words(recorded) == [*begun, "record is written", "watches end", "engine ends", "closed"]


def test_an_engine_that_nobody_asked_for_is_not_waited_for(recorded):
    with pytest.raises(BenchmarkError), an_engine(recorded):
        raise BenchmarkError
    assert words(recorded) == []


def test_wrong_data_end_the_watches_and_not_the_engine(recorded):
    end_with(DataError, recorded)
    assert words(recorded)[2:] == ["watches end", "watches are stopped"]


@pytest.mark.parametrize("error", [BenchmarkError, KeyboardInterrupt])
def test_any_other_error_ends_the_engine_that_it_was_at(recorded, error):
    end_with(error, recorded)
    assert words(recorded)[2:] == ["taken", "watches end", "engine ends"]


def test_watches_whose_beginning_is_interrupted_are_ended(recorded):
    recorded[0].interrupts = True
    with pytest.raises(KeyboardInterrupt), an_engine(recorded) as engine:
        engine.engine()
    assert words(recorded) == ["workers of the engine", "taken", "watches end", "engine ends"]
