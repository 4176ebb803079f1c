"""The simulated seams that CI and every developer use."""
