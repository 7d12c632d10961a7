"""The front door: sda from Python. Only the wrapping differs from the command line."""
