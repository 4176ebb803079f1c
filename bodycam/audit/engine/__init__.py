"""The measures as Ibis expressions over the data set: one definition for DuckDB and Spark."""
