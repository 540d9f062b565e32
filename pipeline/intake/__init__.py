"""Where submissions come from, one module for each channel.

Some are called (a fax provider posts to us); those in CHANNELS are polled, each an object:

    channel.take_in(ledger) -> int    receive what is whole by now; returns how many submissions
    channel.check() -> str            is it reachable, are we let in, may we write: what there is to say

Both raise ChannelError where the source cannot be used. A source is told that it may forget something
(removed, moved, marked) only when the ledger has it; who is killed in between receives it again, which the
ledger knows to be the same.

    configured(settings) -> [name, ...]         those that the settings ask for
    open_channel(name, settings) -> Channel
    channel_in(settings, name) -> Channel | None
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final, Protocol

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.ledger import Ledger

# Each is a function from the settings to the channel, None where they do not ask for it. Entries are
# strings, so that the libraries of a channel that nobody uses are not imported.
CHANNELS: Final[Mapping[str, str]] = {
    "folder": "pipeline.intake.watch:watched_folder",
    "sftp": "pipeline.intake.sftp:sftp_drop",
    "mailbox": "pipeline.intake.mailbox:mailbox",
}


class Channel(Protocol):
    """A channel that is polled, by one process at a time; two would be wasteful, not wrong."""

    @property
    def name(self) -> str:
        """As the ledger has it."""

    @property
    def every_s(self) -> float:
        """Seconds between two looks."""

    @property
    def left(self) -> Mapping[str, int]:
        """What the last look found and cannot take in, counted by why: a code."""

    def take_in(self, ledger: Ledger) -> int:
        """See the module. Raises ChannelError, StorageFull, LedgerUnavailable: the source keeps its own."""

    def check(self) -> str:
        """See the module. Raises ChannelError."""


def configured(settings: Settings) -> list[str]:
    """The names of the channels that the settings ask for. Raises ConfigurationError for a wrong setting."""
    return [name for name in CHANNELS if channel_in(settings, name) is not None]


def open_channel(name: str, settings: Settings) -> Channel:
    """The channel of this name. Raises ConfigurationError where the settings do not ask for it."""
    channel = channel_in(settings, name)
    if channel is None:
        raise ConfigurationError(
            f"The channel {name} is not set up.", next_step="docs/channels.md says which settings it needs."
        )
    return channel


def channel_in(settings: Settings, name: str) -> Channel | None:
    """The channel of this name, None where the settings do not ask for it. Raises ConfigurationError."""
    channel: Channel | None = resolve_name(CHANNELS[name])(settings)
    return channel
