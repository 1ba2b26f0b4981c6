"""What the service answers where it does not do what was asked."""

from __future__ import annotations

from http import HTTPStatus


class Refusal(Exception):  # noqa: N818 - what is answered, in HTTP's words
    """An answer other than the one asked for; `status` is HTTP's."""

    status = HTTPStatus.BAD_REQUEST
    code = "BAD_REQUEST"


class Missing(Refusal, LookupError):  # noqa: N818
    """No such thing, or none that this key may see."""

    status = HTTPStatus.NOT_FOUND
    code = "NOT_FOUND"


class NotLoggedIn(Refusal):
    """No key, or a wrong one."""

    status = HTTPStatus.UNAUTHORIZED
    code = "PERMISSION_ERROR"


class Forbidden(Refusal):
    """A URL that is not, or no longer, signed."""

    status = HTTPStatus.FORBIDDEN
    code = "PERMISSION_ERROR"


class LengthRequired(Refusal):
    """An upload that does not say how long it is."""

    status = HTTPStatus.LENGTH_REQUIRED


class Gone(Refusal):
    """It was there, and will not be again: the one refusal of an upsert that is not repeated."""

    status = HTTPStatus.GONE
    code = "GONE"


class Conflicting(Refusal):
    """Against what is there."""

    status = HTTPStatus.CONFLICT
    code = "CONFLICT"
