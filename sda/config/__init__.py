"""Layered configuration: auto → preset → your key."""
