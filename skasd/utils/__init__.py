"""Tools for writing your own estimators."""
