"""The audit's data set: what `timeline` builds of each camera, as Parquet by force and month."""
