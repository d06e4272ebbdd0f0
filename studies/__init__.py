"""Studies that chose settings of the library.

A study compares candidates once, by a criterion that its docstring states, and tells what it chose
and what came of it: it is kept so that a setting can be traced, and run again on other recordings.
It is not a benchmark: it measures no speed, holds nothing against a peer, and is not run for a
release. Nothing in the library imports it, and it is not part of the package.
"""
