"""The suites find what is wrong with a plug-in: each fault fails the tests that are about it."""

import functools
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
FILE = Path(__file__).with_name("broken_plugins.py")
PLAIN = "test_trials_have_the_scores_of_plain_fits"
LOST = "test_a_lost_worker_costs_a_unit_and_one_that_is_always_lost_the_engine"
POINTS = "test_candidates_are_points_of_the_space_numbered_in_order"
FAULTS = {
    "TestModelThatNoPackageDeclares": ["test_it_is_found_by_its_name"],
    "TestUnseededModel": ["test_the_same_seed_gives_the_same_predictions", PLAIN],
    "TestModelThatWritesIntoItsRows": ["test_its_predictions_are_those_of_its_task"],
    "TestModelThatTakesAnything": ["test_it_takes_its_hyperparameters_and_refuses_unknown_ones"],
    "TestModelWithOneIdentity": ["test_its_identity_tells_estimators_apart", PLAIN],
    "TestModelWithFloatLabels": [
        "test_its_predictions_are_those_of_its_task",
        "test_it_learns_from_missing_values_where_it_says_so",
    ],
    "TestModelOfNoModule": ["test_workers_can_import_its_modules_and_its_libraries_are_installed"],
    "TestModelThatStaysAtHome": ["test_it_travels_to_workers"],
    "TestModelWhoseSavingsChangeScores": [PLAIN],
    "TestSearchThatNoPackageDeclares": [
        "test_it_is_found_by_its_name_and_has_the_keys_of_every_search"
    ],
    "TestSearchThatGivesMoreThanItHasRoomFor": [
        "test_it_gives_no_more_than_there_is_room_for_and_ends"
    ],
    "TestSearchThatNumbersFromOne": [POINTS, "test_it_takes_results_as_they_come"],
    "TestSearchOutsideTheSpace": [POINTS, "test_it_tunes_a_model_on_an_engine"],
    "TestSearchThatEndsOverAFailure": ["test_failed_candidates_do_not_stop_it"],
    "TestSearchWithoutExamples": ["test_examples_stand_for_the_candidates"],
    "TestUnseededSearch": [
        "test_the_same_seed_gives_the_same_candidates",
        "test_it_goes_on_after_an_interruption",
    ],
    "TestSearchThatChangesTheSpace": ["test_it_leaves_what_it_was_given_as_it_was"],
    "TestSearchOfAnEmptySpace": ["test_an_empty_space_is_refused"],
    "TestDatasetThatNoPackageDeclares": ["test_it_is_found_by_its_name"],
    "TestUnseededDataset": ["test_the_same_seed_gives_the_same_table"],
    "TestDatasetWithAnotherName": ["test_its_table_names_its_columns"],
    "TestDatasetWithInfiniteValues": [
        "test_it_is_encoded_as_numbers",
        "test_a_model_is_fitted_on_it",
    ],
    "TestDatasetWhoseBlocksLackARow": ["test_its_blocks_are_the_table"],
    "TestBackendThatNoPackageDeclares": ["test_it_is_found_by_its_name"],
    "TestBackendThatLeavesAProcess": [LOST],
    "TestBackendThatCountsNoLoss": [LOST],
    "TestBackendWithErrorsOfItsOwn": [LOST],
    "TestBackendWhoseScoresAreRounded": [
        "test_trials_have_the_scores_of_plain_fits_and_no_process_is_left_behind"
    ],
    "TestEngineWithManyFaults": [
        "test_the_driver_sees_the_shared_value_and_maps_it_as_workers_do",
        "test_the_shared_value_arrives_once_per_worker",
        "test_workers_keep_to_their_thread_budget",
        "test_it_says_the_versions_of_its_libraries",
        "test_nothing_was_run_again",
    ],
    "TestEngineOfOneWorker": ["test_batches_run_in_as_many_other_processes_as_there_are_slots"],
    "TestEngineWithoutErrors": ["test_an_error_of_the_task_reaches_the_caller"],
    "TestEngineThatEndsLargeWorkers": ["test_a_worker_that_has_grown_by_a_large_table_stays"],
}


@functools.cache
def outcomes(*, of_engines):
    """By class and test, the words that pytest says of it."""
    names = [n for n in FAULTS if n.startswith(("TestBackend", "TestEngine")) is of_engines]
    tests = [f"{FILE}::{name}::{test}" for name in names for test in FAULTS[name]]
    options = ["-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=0"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = defaultdict(set)
    for line in done.stdout.splitlines():
        outcome, _, rest = line.partition(" ")
        if outcome in ("PASSED", "FAILED", "ERROR", "SKIPPED"):
            _, name, test = rest.partition(" - ")[0].split("::")
            found[name, test.partition("[")[0]].add(outcome)
    return found


@pytest.mark.parametrize(
    ("name", "test"), [(name, test) for name, about in FAULTS.items() for test in about]
)
def test_a_fault_fails_what_is_about_it(name, test):
    of_engines = name.startswith(("TestBackend", "TestEngine"))
    assert outcomes(of_engines=of_engines)[name, test] == {"FAILED"}
