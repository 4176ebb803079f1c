"""What needs root: real systemd, real file systems. `make test-root` runs it, and nothing else does."""
