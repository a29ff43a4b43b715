"""The card of an algorithm: how it presents itself, as ``register.json`` says it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

_MAX_BYTES = 64_000
# A field's name is the file's own: as much of it is told as finds room in a line.
_SHOWN_CHARACTERS = 60

_NAME_CHARACTERS = 30
# It becomes a part of URLs and of keys in Redis, where : / { } have meanings of their own.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# RFC 6838, 4.2.
_RESTRICTED_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_RESTRICTED_NAME}/{_RESTRICTED_NAME}")


class CardInvalid(ValueError):
    """A card that cannot be accepted: one line for each field that is wrong."""


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _at_most(limit_bytes: int) -> AfterValidator:
    """Bytes in UTF-8, where a Chinese character has three."""

    def checked(text: str) -> str:
        if (found := len(text.encode())) > limit_bytes:
            raise ValueError(f"{found} bytes, at most {limit_bytes}")
        return text

    return AfterValidator(checked)


def _usable(name: str) -> str:
    if len(name) > _NAME_CHARACTERS:
        raise ValueError(f"{len(name)} characters, at most {_NAME_CHARACTERS}")
    if not _NAME.fullmatch(name):
        raise ValueError("must be of a-z, 0-9 and -, and not begin with -")
    return name


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError("does not look like type/subtype")
    return text


def _counted(number: Any) -> Any:
    """The form's ``false`` and ``true`` are none and one."""
    return int(number) if isinstance(number, bool) else number


_MediaTypes = tuple[Annotated[str, AfterValidator(_media_type)], ...]


class Card(BaseModel):
    """What is shown of an algorithm, and what its callers are told of it.

    ``point_per_frame`` is a price; ``image_key`` names the picture beside the title. ``plan_id``
    and ``overflow_mode`` belong to the form and mean nothing here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, AfterValidator(_not_empty), AfterValidator(_usable)]
    title: Annotated[str, AfterValidator(_not_empty), _at_most(60)]
    subtitle: Annotated[str, _at_most(30)] = ""
    content: Annotated[str, _at_most(255)] = ""
    type: Literal["simple", "image", "file"]
    input_mimes: _MediaTypes = Field((), validate_default=True)
    output_mimes: _MediaTypes = Field((), validate_default=True)
    unit_name: str = ""
    point_per_frame: float = Field(0, ge=0, strict=True)
    results_to_show_default: Annotated[int, BeforeValidator(_counted)] = Field(0, ge=0, strict=True)
    image_key: str = ""
    algorithms: tuple[str, ...] = ()
    plan_id: int | None = Field(None, strict=True)
    overflow_mode: int | None = Field(None, strict=True)

    @field_validator("input_mimes", "output_mimes")
    @classmethod
    def _files_have_types(cls, types: _MediaTypes, others: ValidationInfo) -> _MediaTypes:
        if not types and others.data.get("type") == "file":
            raise ValueError("needed when the type is file")
        return types

    @classmethod
    def parse(cls, data: bytes) -> Card:
        """Read the file's bytes: one object of all fields.

        Or the form's other spelling: ``plan_id``, ``overflow_mode``, and ``services``, an array
        of the one object that has the rest.

        Raises:
            CardInvalid: it is no card; a line for each field that is wrong.
        """
        return cls._checked(_flat(_object(data)))

    @classmethod
    def of(cls, name: str) -> Card:
        """The card of an algorithm that has none.

        Raises:
            CardInvalid: the name is none that an algorithm can have.
        """
        return cls._checked({"name": name, "title": name, "type": "image"})

    @classmethod
    def _checked(cls, fields: dict[str, Any]) -> Card:
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise CardInvalid(_lines(error)) from None

    def to_json(self) -> str:
        """The form again, which ``parse`` reads."""
        return self.model_dump_json(exclude_none=True)


def _object(data: bytes) -> dict[str, Any]:
    """The object that the bytes are in JSON."""
    if len(data) > _MAX_BYTES:
        raise CardInvalid(f"the card: {len(data)} bytes, at most {_MAX_BYTES}")
    try:
        text = data.decode()
        if text.startswith("\N{BYTE ORDER MARK}"):
            raise CardInvalid("the card: begins with a byte order mark")
        found = json.loads(text, object_pairs_hook=_once_each)
        json.dumps(found, ensure_ascii=False).encode()
    except CardInvalid:
        raise
    except UnicodeDecodeError as error:
        raise CardInvalid(f"the card: is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        # JSON can escape what is no character.
        raise CardInvalid("the card: holds half of a surrogate pair") from None
    except (ValueError, RecursionError) as error:
        raise CardInvalid(f"the card: is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CardInvalid("the card: is no JSON object")
    return found


def _flat(form: dict[str, Any]) -> dict[str, Any]:
    """The fields, those of the one service among them."""
    match form:
        case {"services": [dict(service)], **beside}:
            if twice := sorted(beside.keys() & service):
                raise CardInvalid(
                    "\n".join(f"{_shown(name)}: stands in services and beside" for name in twice)
                )
            return beside | service
        case {"services": _}:
            raise CardInvalid("services: must be an array of one object")
    return form


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose last of several fields of one name would silently win."""
    times = Counter(name for name, _ in pairs)
    if twice := [name for name, number in times.items() if number > 1]:
        raise CardInvalid(
            "\n".join(f"{_shown(name)}: stands {times[name]} times" for name in twice)
        )
    return dict(pairs)


def _lines(error: ValidationError) -> str:
    """A line a field: what is wrong with it first, and where in it."""
    lines: dict[str | int, str] = {}
    for wrong in error.errors(include_url=False):
        place = ".".join(_shown(str(part)) for part in wrong["loc"])
        lines.setdefault(wrong["loc"][0], f"{place}: {_told(wrong)}")
    return "\n".join(lines.values())


def _told(wrong: Any) -> str:
    """What is wrong with a field, in a few words."""
    match wrong["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is unknown"
        case "greater_than_equal":
            return f"{wrong['input']}, at least {wrong['ctx']['ge']:g}"
        case "tuple_type":
            return "must be an array"
        case "value_error":
            return str(wrong["ctx"]["error"])
        case _:
            return str(wrong["msg"])


def _shown(name: str) -> str:
    """A name out of the file, in one line."""
    return repr(name)[1:-1][:_SHOWN_CHARACTERS]
