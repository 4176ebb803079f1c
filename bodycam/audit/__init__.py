"""Was it switched at discretion? From verified logs and segments to states, incidents, measures."""
