"""Side by side against peers, in one run, on one machine. Never part of a test."""
