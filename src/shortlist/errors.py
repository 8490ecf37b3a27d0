"""The error tree. Every message says what was wrong, where, and what to do about it."""


class ShortlistError(Exception):
    """Base of every error that shortlist raises on purpose; the command line prints it as one block."""


class DataError(ShortlistError, ValueError):
    """The data cannot be used as given (file, row, column or id named in the message)."""


class ParameterError(ShortlistError, ValueError):
    """A parameter has a value or type outside what its docstring allows."""


class ConfigError(ShortlistError, ValueError):
    """A configuration file is wrong (table, key and the nearest right spelling in the message)."""


class UnknownIdError(ShortlistError, LookupError):
    """A user or item id is not known, or the model has nothing to say about it."""


class NotFittedError(ShortlistError, RuntimeError):
    """A model or pipeline was used before `fit`."""


class ArtifactError(ShortlistError):
    """A saved artifact is missing, truncated, altered, or of a newer format."""


class MissingExtraError(ShortlistError, ImportError):
    """An optional package is not installed; the message gives the command that installs it."""


class NonFiniteError(ShortlistError, ArithmeticError):
    """A fit or a score became NaN or infinite; the message gives the step and the likely cause."""
