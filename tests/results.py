"""Results of two evaluations, of which one may be another process's."""

import csv

import numpy as np


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def assert_same_results(folder, expected):
    """Check that the CSV files are the same but for the last bits of scores."""
    paths = sorted(expected.glob("*.csv"))
    assert [path.name for path in sorted(folder.glob("*.csv"))] == [path.name for path in paths]
    for path in paths:
        rows, expected_rows = read_csv(folder / path.name), read_csv(path)
        if path.name.startswith("anomaly_score_"):
            names, scores = zip(*rows, strict=True)
            expected_names, expected_scores = zip(*expected_rows, strict=True)
            assert names == expected_names
            np.testing.assert_allclose(np.float64(scores), np.float64(expected_scores), rtol=1e-3)
        else:
            assert rows == expected_rows
