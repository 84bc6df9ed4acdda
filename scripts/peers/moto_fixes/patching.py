"""Helpers of the fixes: replacing or adding a method, pagination."""

import base64
import binascii
import functools


def wrapped(owner, name):
    """Replaces the method `name` of `owner`; the replacement gets the original as its first argument."""

    def decorate(replacement):
        original = getattr(owner, name)

        @functools.wraps(original)
        def method(self, *args, **kwargs):
            return replacement(original, self, *args, **kwargs)

        setattr(owner, name, method)
        return replacement

    return decorate


def added(owner):
    """Adds the function to `owner` as a method of its name: an operation that moto does not have."""

    def decorate(function):
        setattr(owner, function.__name__, function)
        return function

    return decorate


def cut(items, size, token, refusal):
    """The `size` items where `token` says, and the token of what follows: as with AWS, one to be handed back
    and not to be understood. Any other is refused with a `refusal`, an exception of the service.
    """
    start = 0
    if token:
        try:
            word, start = base64.urlsafe_b64decode(token).decode("ascii").split(":")
            start = int(start) if word == "from" else -1
        except (binascii.Error, ValueError):
            start = -1
        if not 0 < start <= len(items):
            raise refusal("Invalid parameter: the next token is not valid")
    end = start + size
    following = base64.urlsafe_b64encode(f"from:{end}".encode()).decode() if end < len(items) else None
    return items[start:end], following


def page_size(asked, usual, largest, refusal):
    """The number of items of a page; a request for more than `largest` is refused."""
    if asked is None:
        return usual
    if not 1 <= int(asked) <= largest:
        raise refusal(f"maxResults has to be between 1 and {largest}")
    return int(asked)
