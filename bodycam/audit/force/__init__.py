"""The audit of a whole force: what its page, its JSON, its tables and its public summary say."""
