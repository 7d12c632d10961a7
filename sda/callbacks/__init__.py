"""What listens to a run: one callback a module, each callable with an event."""
