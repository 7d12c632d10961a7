"""Training: its configuration, its data set, its events, and the loop."""
