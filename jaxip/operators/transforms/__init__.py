"""Transforms under which images are sparse, and fast unitary ones."""
