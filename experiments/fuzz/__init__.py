"""Thousands of damaged sound files, and what comes of them; see README.md."""
