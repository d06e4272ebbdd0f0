"""Kinds of files that are changed where it hurts, and what tries them."""
