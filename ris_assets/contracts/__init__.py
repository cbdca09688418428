"""What each source entity and each Python-built table holds. Plain data: no I/O lives here."""
