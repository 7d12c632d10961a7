"""Slurm with one node, on this machine, for trying sweeps; see README.md."""
