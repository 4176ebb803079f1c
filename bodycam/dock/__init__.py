"""What runs at the dock: the witness of the cameras' logs."""
