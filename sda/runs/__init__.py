"""Runs on disk: their folders, plans and sounds, and the folders of sweeps."""
