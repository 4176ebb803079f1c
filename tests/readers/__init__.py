"""Other people's programs open what our recorder wrote."""
