"""Statistics of many incidents, officers and shifts: M31 to M33."""
