"""What the self-test looks at; the recorder at boot and `bodycam selftest` ask the same questions."""
