"""Requests for information on their way out: one channel a module, each with the same promise.

    channel.deliver(parcel) -> Receipt      it is there, or DeliveryError says whether waiting can help

A parcel is handed over under its key. Delivered again under the same key, because an answer was lost, it is
the same delivery: no channel makes two of it.

    channels_in(settings) -> {name: Channel}    those that the settings ask for
"""

from pipeline.delivery.channels import Channel, channels_in
from pipeline.delivery.parcel import Parcel, Part, Receipt, parcel

__all__ = ["Channel", "Parcel", "Part", "Receipt", "channels_in", "parcel"]
