"""Sampling patterns as pure functions of a key."""
