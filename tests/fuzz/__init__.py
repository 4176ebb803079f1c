"""Fuzzing of every parser: nothing that bytes can say is a crash, a hang or a flood."""
