"""Variants of a training compared at equal CPU time, on folders of sound; see README.md."""
