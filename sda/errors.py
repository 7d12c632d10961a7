"""The exceptions of sda: everything a user can mend is an `SdaError`."""


class SdaError(Exception):
    """A problem the user can mend; its message says what was received, what is allowed, and what to do next."""


class ConfigError(SdaError):
    """A configuration key is unknown, of the wrong type, or out of its range."""


class DataError(SdaError):
    """The sounds cannot be read, split or used as asked."""


class CacheError(DataError):
    """Decoded sound cannot be kept on disk."""


class CheckpointError(SdaError):
    """A checkpoint is missing, damaged, or does not fit the run that wants it."""


class SealError(SdaError):
    """The secret by which this installation knows its own runs cannot be kept or trusted."""


class DamagedError(CheckpointError):
    """A file in a run's or a sweep's folder cannot be read, or does not hold what belongs there."""


class TrackingError(SdaError):
    """The experiment tracker cannot be used as configured."""


class OrphanedError(SdaError):
    """The sweep that a job belongs to is gone."""


class TrainingError(SdaError):
    """Training cannot go on."""


class DivergedError(TrainingError):
    """The numbers of a run are no longer finite; from its last checkpoint it may go on more slowly."""
