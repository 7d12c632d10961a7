"""Honest measures of what a model learned."""
