"""The catalogue's side: engine, sources, attaching, writing, searching, the command line."""
