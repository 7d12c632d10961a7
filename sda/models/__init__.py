"""Networks, built from plain keyword arguments."""
