"""The one error that the command line shows as it is."""


class StackError(Exception):
    """What went wrong and what to do about it, in one line for the person at the terminal."""
