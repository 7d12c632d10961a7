"""The page to play on: one run at a time, on this machine alone."""
