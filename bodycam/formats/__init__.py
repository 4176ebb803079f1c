"""Bytes in, bytes out: one file per chapter of docs/FORMAT.md."""
