"""The receiving side: verify, export, inspect, report. Never imported by the recorder."""
