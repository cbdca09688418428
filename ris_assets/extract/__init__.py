"""From documents to typed frames: the source map, BSON decoding, mapping, quarantine. Pure: no I/O but files."""
