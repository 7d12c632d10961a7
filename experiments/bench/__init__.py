"""How fast training is, as ratios of things measured side by side; see README.md."""
