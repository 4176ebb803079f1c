"""The camera seam: sources of access units, one file each, used by the capture worker only."""
