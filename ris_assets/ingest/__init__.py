"""One entity's way from its source to its landing table: what to ask for, how often to try, how far it got."""
