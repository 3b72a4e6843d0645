"""Why the registry gave no answer."""


class RegistryAway(Exception):
    """The registry, or the store behind it, gave no usable answer; the message says which."""


class NotRegistered(LookupError):
    """The registry answered that there is no such model, version or file."""


def brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
