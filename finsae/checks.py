"""What finsae says to a user whose input cannot be used: the rule, the value, the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class DataError(ValueError):
    """One or several problems of an input, collected so that they can be mended at once.

    Parameters
    ----------
    problems : str or sequence of str
        One sentence each: what is wrong, where, and the way out.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def nearest(name: object, options: Iterable[object]) -> str:
    """Name the option a user most likely meant.

    Parameters
    ----------
    name : object
        What was given.
    options : iterable
        What would have been valid.

    Returns
    -------
    str
        ``'; did you mean "X"?'``, or an empty string where nothing is close.
    """
    by_lower = {str(option).lower(): str(option) for option in options}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return f'; did you mean "{by_lower[close[0]]}"?' if close else ""


def one_of(what: str, name: str, options: Iterable[str]) -> str:
    """Return `name` if it is one of `options`.

    Parameters
    ----------
    what : str
        What the name stands for, as the message calls it ("method", "ticker").
    name : str
        The name to look for.
    options : iterable of str
        The valid names.

    Raises
    ------
    DataError
        With the nearest valid name, and with all of them where they are few.
    """
    valid = [str(option) for option in options]
    if name in valid:
        return name
    listing = f" (one of {', '.join(valid)})" if len(valid) <= 12 else f" ({len(valid)} known)"
    raise DataError(f'unknown {what} "{name}"{listing}{nearest(name, valid)}')
