"""Every way to search, measured side by side: `make bench-search`."""
