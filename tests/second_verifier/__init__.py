"""A second verifier, written from docs/FORMAT.md alone."""
