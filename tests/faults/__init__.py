"""The fault suite: each fault of the camera made for real, by the number it has in docs/FAULTS.md."""
