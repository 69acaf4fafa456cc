"""A target profile proposed for an index that nobody has described: from its mapping and a sample of its documents."""
