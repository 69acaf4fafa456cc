"""Where bibliographic records come from: ISO 2709, MARCXML, Dublin Core, JSON lines; streamed, one result a record."""
