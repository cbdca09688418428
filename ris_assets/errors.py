"""The one exception family a user may meet: a single clear sentence, shown without a traceback."""


class RisError(Exception):
    """Something the user can mend. The message says what is wrong, where, and what to do."""


class Interrupted(RisError):  # noqa: N818 - what happened, not what is wrong
    """A failure that another try may mend: the source or the database went away."""
