"""What recording costs and what it saves, beside picamera2's outputs, in one run."""
