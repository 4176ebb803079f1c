"""Body-worn camera recorder, and the tools that make its footage count in court."""

__version__ = "0.1.0"
