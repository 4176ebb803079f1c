"""A stand-in for the library of a Raspberry Pi's pins, put on a recorder's path."""
