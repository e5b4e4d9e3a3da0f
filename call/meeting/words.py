"""Four words that two people read to each other, to know that nobody listens in between.

The words are made from both DTLS fingerprints and from a number that each side chose at random. The
side that made the room commits to its number before it sees that of the other, and shows it later
(as ZRTP does, RFC 6189, section 4.4.1.1). Somebody in between needs a certificate of his own for
each side. The words are then equal on both sides only once in 2^32 times, and he has one attempt;
without the commitment he could try certificates until they are equal.
"""

from __future__ import annotations

import hashlib
import hmac

from ...codec.errors import ConfigError

__all__ = ["NONCE_BYTES", "WORDS", "commitment", "commits_to", "spoken"]

NONCE_BYTES = 16
_COUNT = 4


def spoken(maker: bytes, guest: bytes, maker_nonce: bytes, guest_nonce: bytes) -> tuple[str, ...]:
    """The four words, which are equal on both sides if both see the same four values.

    Args:
        maker: 32 bytes, the SHA-256 fingerprint of the certificate of the side that made the room.
        guest: the same of the other side.
        maker_nonce: `NONCE_BYTES` bytes that the maker chose at random.
        guest_nonce: the same of the other side.

    Raises:
        ConfigError: a value has another length.
    """
    if (len(maker), len(guest), len(maker_nonce), len(guest_nonce)) != (32, 32, 16, 16):
        raise ConfigError("words are made from two fingerprints and two numbers of 16 bytes")
    digest = hashlib.sha256(b"facewire words 1" + maker + guest + maker_nonce + guest_nonce)
    return tuple(WORDS[byte] for byte in digest.digest()[:_COUNT])


def commitment(nonce: bytes) -> bytes:
    """32 bytes that fix a number without showing it."""
    return hashlib.sha256(b"facewire commitment 1" + nonce).digest()


def commits_to(shown: bytes, nonce: bytes) -> bool:
    """Whether this is the number that was committed to."""
    return len(nonce) == NONCE_BYTES and hmac.compare_digest(shown, commitment(nonce))


_LIST = """
acorn actor amber anchor angel apple apron arrow atlas autumn bacon badge bagel baker balloon
bamboo banana banjo barrel basket beach beaver berry bicycle biscuit blanket blossom bottle
bridge broom bucket butter cabin cactus camel camera canal candle canoe carpet carrot castle
ceiling cellar cherry chicken chimney circus clover coconut coffee comet copper coral corner
cotton cousin cradle crayon cricket crystal cuckoo cushion daisy dancer desert diamond dinner
dolphin donkey dragon drawer drummer eagle easel elbow elephant engine envelope evening fabric
falcon farmer feather fiddle finger flagpole flamingo forest fossil fountain garden garlic giant
giraffe glacier goblet goose gravel guitar hammer hammock harbour harvest hazel hedgehog helmet
honey horizon hospital hotel iceberg igloo insect iron island ivory jacket jaguar jasmine jelly
jewel jigsaw jungle kangaroo kayak kettle kitchen kitten koala ladder lantern laundry lawyer
lemon leopard lettuce library lily lizard lobster locket magnet mango maple marble market meadow
melon mirror moonlight muffin museum mushroom napkin needle notebook nutmeg ocean octopus olive
onion orange orchard orchid otter oyster paddle palace panda panther paper peanut pebble pelican
pencil penguin pepper piano pickle pigeon pillow pilot pirate planet plumber potato pumpkin
puppet pyramid quarry quilt rabbit radio radish railway rainbow raven ribbon river robin rooster
sailor salad salmon sandal sapphire saucer scarecrow school scooter seagull shadow shovel silver
sofa sparrow spider spoon squirrel statue summer sunset sweater table teapot temple thunder
ticket tiger tomato tractor trumpet tulip tunnel turtle umbrella uncle valley vanilla velvet
village vinegar violin volcano waffle wagon walnut walrus water whistle window winter yoghurt
zebra zipper
"""
WORDS = tuple(_LIST.split())
"""256 words. No two are one letter apart."""
