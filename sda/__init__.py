"""Small-dataset audio: train generative audio models on a handful of your own sounds."""

__version__ = "0.1.0"
