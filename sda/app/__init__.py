"""Composition roots: the only place where configuration meets construction."""
