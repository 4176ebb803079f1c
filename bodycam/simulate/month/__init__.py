"""A force's month directly in the ingested form, with the truth beside it."""
