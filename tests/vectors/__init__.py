"""Small good and hostile evidence, checked in, with the script that makes it."""
