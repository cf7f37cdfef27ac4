"""Classes on the command line: by number, or by name where the network's classes have names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splinescope.cli.values import whole_numbers
from splinescope.errors import InvalidInputError

if TYPE_CHECKING:
    from splinescope.network import Network


def named(network: Network, names: str | None) -> Network:
    """The network with names for its classes.

    Args:
        network: The network.
        names: Names joined by commas, or a file with one in each line; None to leave it as it is.

    Returns:
        The network.

    Raises:
        InvalidInputError: If there are not as many names as classes, or the file cannot be read.
    """
    if names is None:
        return network
    file = Path(names)
    try:
        text = file.read_text(encoding="utf-8-sig") if file.is_file() else names.replace(",", "\n")
        return network.with_classes([line.strip() for line in text.splitlines() if line.strip()])
    except (InvalidInputError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"`--class-names`: {error}") from error


def class_numbers(option: str, text: str | None, network: Network) -> list[int] | None:
    """The classes of a comma-separated list.

    Args:
        option: The option, for the error.
        text: Numbers, or names of the network's classes; None if the option was not given.
        network: The network.

    Returns:
        Their numbers, or None.

    Raises:
        InvalidInputError: If a word is neither a whole number nor the name of a class.
    """
    if text is None:
        return None
    known = {name: label for label, name in enumerate(network.classes or ())}
    if not known:
        return whole_numbers(option, text)
    words = [text] if text in known else [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word not in known and not word.isdecimal()]
    if wrong:
        raise InvalidInputError(f"`{option}`: got {wrong[0]!r}; expected numbers or names of {', '.join(known)}")
    return [known[word] if word in known else int(word) for word in words]


def class_number(option: str, text: str | None, network: Network) -> int | None:
    """The class that an option names.

    Args:
        option: The option, for the error.
        text: A number, or the name of a class; None if the option was not given.
        network: The network.

    Returns:
        Its number, or None.

    Raises:
        InvalidInputError: If the network has no such class.
    """
    labels = class_numbers(option, text, network)
    if labels is None:
        return None
    if len(labels) != 1 or not 0 <= labels[0] < network.num_classes:
        raise InvalidInputError(f"`{option}`: got {text}; expected a class from 0 to {network.num_classes - 1}")
    return labels[0]


def class_name(facts: Mapping[str, Any], label: Any) -> str:
    """What a class of a run is called, for people.

    Args:
        facts: The summary of a run, with the network's description.
        label: Number of the class.

    Returns:
        Its name, or its number where it has none.
    """
    names = facts.get("network", {}).get("classes")
    return str(label) if names is None else names[int(label)]
