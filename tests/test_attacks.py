"""What a stranger may have written, a disk damaged or a user mistaken, and the tests of it."""

import ast
from pathlib import Path

import pytest

ATTACKS = {
    "model files that cannot be right": {
        "coefficients of an SVM that are fewer than its vectors": [
            "strange_models::test_state_that_cannot_be_right",
            "strange_models::test_nothing_compiled_runs_before_the_checks",
            "strange_models::test_interpreter_survives_short_coefficients",
        ],
        "an offset of NaN": ["strange_models::test_state_that_cannot_be_right"],
        "a spread of zero": [
            "strange_models::test_state_that_cannot_be_right",
            "strange_models::test_state_of_steps",
        ],
        "arrays whose shapes broadcast": [
            "strange_models::test_state_that_cannot_be_right",
            "strange_models::test_state_of_steps",
            "strange_models::test_state_of_an_autoencoder",
        ],
        "vectors of width 0": ["strange_models::test_state_that_cannot_be_right"],
        "n_mels, n_fft, hop_length, sample_rate or n_jobs that take all memory or threads": [
            "strange_models::test_absurd_parameters",
            "strange_models::test_parameters_that_are_absurd_together",
        ],
        "scores of NaN": [
            "strange_models::test_score_that_is_no_number",
            "strange_models::test_clip_whose_score_is_no_number",
        ],
        "trees that say they are larger": [
            "strange_models::test_tree_that_says_it_is_larger",
            "persistence::test_trees_are_checked_before_they_are_followed",
            "persistence::test_arrays_of_a_forest_fit_its_trees",
        ],
        "attributes in the place of methods": [
            "strange_models::test_attributes_in_the_place_of_methods"
        ],
        "check scores of other scores, whatever the versions": [
            "strange_models::test_check_scores_count_whatever_the_versions"
        ],
        "a description that is none": [
            "strange_models::test_description_that_is_none",
            "persistence::test_any_description_gives_a_detector_or_our_error",
        ],
    },
    "model files that take all memory": {
        "bombs, by any compression": [
            "strange_models::test_bombs",
            "strange_models::test_other_compressions",
        ],
        "sizes that are not those said": [
            "strange_models::test_members_that_lie_about_their_size",
            "strange_models::test_arrays_that_lie",
        ],
        "one array many times": ["strange_models::test_one_array_many_times"],
        "nested pipelines": ["strange_models::test_nested_estimators"],
        "references that double, or do not end": [
            "strange_models::test_references",
            "strange_models::test_object_in_itself",
        ],
        "very many objects": ["strange_models::test_too_many_objects"],
        "a small file, read as a large one": [
            "strange_models::test_small_file_is_read_in_little_memory"
        ],
        "none: what is large and honest": [
            "strange_models::test_what_is_honest_loads",
            "strange_models::test_large_honest_ensemble_is_within_the_bounds",
        ],
    },
    "model files that do something": {
        "foreign types and functions": [
            "strange_models::test_types_that_cannot_be_checked",
            "strange_models::test_second_description_does_not_count",
            "persistence::test_nothing_foreign_runs",
            "persistence::test_pickles_are_refused",
        ],
        "a cache folder of the author's choice": ["strange_models::test_places_are_the_loaders"],
        "a download at load": ["strange_models::test_loading_downloads_nothing"],
        "lines printed at load": ["strange_models::test_loading_prints_nothing"],
    },
    "files by somebody else": {
        "a model": [
            "strange_models::test_key",
            "shell::test_key_of_models",
            "shell::test_model_without_a_key_is_refused_with_one",
        ],
        "a fleet": ["fleet::test_fleet_with_a_key"],
    },
    "fleets": {
        "files that were swapped": ["fleet::test_files_that_were_swapped_are_noticed"],
        "a save that fails halfway": [
            "fleet::test_killed_while_saving_leaves_the_former_fleet",
            "fleet::test_full_disk_leaves_the_former_fleet",
        ],
        "a damaged file": ["fleet::test_damaged_file_stops_its_own_machine_alone"],
        "a list that is none": [
            "fleet::test_what_is_no_fleet",
            "fleet::test_any_list_gives_a_fleet_or_our_error",
        ],
    },
    "weights": {
        "storage, links and arrays elsewhere": ["strange_files::test_strange_weights_are_refused"],
        "bombs by gzip, and by fill value": [
            "strange_files::test_strange_weights_are_refused",
            "strange_files::test_weights_that_unpack_without_end_are_refused",
        ],
        "a file that keeps HDF5's reader busy for ever": [
            "strange_files::test_unknown_weights_are_read_in_a_child",
            "strange_files::test_weights_that_keep_their_reader_busy_are_refused",
            "strange_files::test_reader_that_spins_is_ended",
        ],
        "NaN, text, names of another encoding": ["strange_files::test_strange_weights_are_refused"],
    },
    "the cache of embeddings": {
        "a flipped bit, another shape, NaN": [
            "strange_files::test_cache_entry_that_cannot_be_right_is_computed_anew"
        ],
        "a pipe": ["strange_files::test_cache_entry_that_is_a_pipe_is_not_waited_for"],
        "other users": ["strange_files::test_cache_is_its_owners_alone"],
    },
    "archives": {
        "a bomb, a file that is a folder, a name of 300 characters": [
            "strange_files::test_strange_archive_is_refused"
        ],
        "a server that sends without end": ["strange_files::test_download_without_end_is_refused"],
    },
    "results of an evaluation": {
        "lines that were sorted": ["strange_files::test_results_are_paired_by_name"],
        "names that are lost, doubled or others": [
            "strange_files::test_damaged_results_are_refused"
        ],
        "damaged records and settings": [
            "strange_files::test_damaged_results_are_refused",
            "strange_files::test_damaged_settings_are_refused",
        ],
    },
    "monitors": {
        "two on one event file, by a link": [
            "strange_files::test_event_file_is_locked_by_any_name"
        ],
        "lines that are nested, NUL, or begin with a byte order mark": [
            "strange_files::test_strange_event_file_is_refused",
            "strange_files::test_strange_event_file_ends_a_monitor_with_2",
        ],
        "links named x.wav that lead to themselves": [
            "strange_files::test_loop_of_links_is_an_event"
        ],
    },
    "names with line breaks": {
        "in skasd score": ["shell::test_any_name_is_scored_and_printed"],
        "in other commands": [
            "shell::test_any_name_in_other_commands",
            "strange_files::test_names_forge_no_lines",
        ],
    },
    "recordings": {
        "24 h of silence in a FLAC file, 20 h at 50 Hz": [
            "strange_files::test_bomb_takes_no_memory",
            "strange_files::test_folder_goes_on_after_a_bomb",
        ],
        "hours of any container, Ogg among them": ["strange_files::test_long_recording_is_refused"],
        "an array of a low rate": ["strange_files::test_long_array_is_refused"],
        "very many samples or channels": [
            "strange_files::test_short_but_huge_recording_is_refused",
            "strange_files::test_channels_are_mixed_as_they_are_read",
        ],
        "a header that declares gigabytes": [
            "strange_files::test_header_that_declares_gigabytes_takes_none"
        ],
        "one that is cut off": ["files::test_cut_off_is_refused"],
    },
    "Python's own limits": {
        "recursion": [
            "strange_files::test_damaged_results_are_refused",
            "strange_files::test_damaged_settings_are_refused",
            "strange_files::test_strange_event_file_is_refused",
            "strange_models::test_nested_estimators",
        ],
        "digits of an integer": [
            "strange_files::test_damaged_results_are_refused",
            "strange_files::test_strange_event_file_is_refused",
        ],
        "surrogates in labels": ["fleet::test_labels_that_are_no_file_names"],
    },
    "a refit that fails": {
        "of a detector": ["strange_models::test_refit_that_fails_changes_nothing"],
        "of a transformer": ["strange_models::test_transformer_whose_refit_fails_is_as_before"],
    },
}
"""Kind → attack → the tests that it failed, ``module::test`` of this folder."""

NAMED = {test for rows in ATTACKS.values() for tests in rows.values() for test in tests}


def names_of_tests(module):
    """Return the names of a module's tests, without importing it."""
    tree = ast.parse(Path(__file__).with_name(f"test_{module}.py").read_text("utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {f"{module}::{name}" for name in functions if name.startswith("test_")}


@pytest.mark.parametrize("module", sorted({test.partition("::")[0] for test in NAMED}))
def test_every_attack_has_its_tests(module):
    tests = names_of_tests(module)
    assert {test for test in NAMED if test.startswith(f"{module}::")} <= tests
    if module.startswith("strange_"):
        assert tests <= NAMED
