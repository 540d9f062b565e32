"""Requests for information on their way out: one channel a module, each with the same promise.

    channel.deliver(parcel) -> Receipt      it is there, or DeliveryError says whether waiting can help
    channel.later(receipt.id) -> Later      what the other side says of it since

A parcel is handed over under its key. Delivered again under the same key, because an answer was lost, it is
the same delivery: no channel makes two of it.

    channels_in(settings) -> {name: Channel}    those that the settings ask for
"""

from pipeline.delivery.channels import Channel, channels_in
from pipeline.delivery.parcel import Later, Parcel, Part, Receipt, code_of, parcel

__all__ = ["Channel", "Later", "Parcel", "Part", "Receipt", "channels_in", "code_of", "parcel"]
