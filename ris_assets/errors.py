"""The one exception family a user may meet: a single clear sentence, shown without a traceback."""


class RisError(Exception):
    """Something the user can mend. The message says what is wrong, where, and what to do."""
