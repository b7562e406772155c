"""profile/engine.json is written once, whatever the engine says, and never ends a run."""

import json

import pytest

from optibench.measure.profiles.engine_metrics import EngineMetricsFile


class Says:
    def __init__(self, recorded):
        self.recorded = recorded
        self.asked = 0

    def read(self):
        self.asked += 1
        if isinstance(self.recorded, Exception):
            raise self.recorded
        return self.recorded


def test_it_is_asked_once(tmp_path):
    says = Says({"engine": "fake", "total": {"tasks": 1}})
    record = EngineMetricsFile(says, tmp_path / "profile")
    record.write()
    record.write()
    recorded = json.loads((tmp_path / "profile" / "engine.json").read_text())
    assert (recorded, says.asked, record.notes) == (says.recorded, 1, ())


def test_an_error_in_the_block_asks_it_before_the_engine_ends(tmp_path):
    record = EngineMetricsFile(Says({"engine": "fake"}), tmp_path)
    with pytest.raises(KeyError), record.written_on_error():
        {}.pop("the run's own")
    assert (tmp_path / "engine.json").exists()


def test_an_interruption_does_not_wait_for_the_engine(tmp_path):
    says = Says({})
    with pytest.raises(KeyboardInterrupt), EngineMetricsFile(says, tmp_path).written_on_error():
        raise KeyboardInterrupt
    assert says.asked == 0


@pytest.mark.parametrize("recorded", [OSError("gone, with password=hunter2"), {"x": float("nan")}])
def test_what_it_cannot_say_is_noted(tmp_path, recorded):
    record = EngineMetricsFile(Says(recorded), tmp_path)
    record.write()
    (note,) = record.notes
    assert note.startswith("there is no profile/engine.json: ")
    assert "hunter2" not in note
    assert not list(tmp_path.iterdir())


def test_an_engine_that_keeps_none_leaves_no_file(tmp_path):
    record = EngineMetricsFile(None, tmp_path)
    record.write()
    assert (record.notes, list(tmp_path.iterdir())) == ((), [])
