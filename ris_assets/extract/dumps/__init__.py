"""Files that mongodump writes: where documents end, folders, archives. No server, no mapping."""
