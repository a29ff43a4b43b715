"""What is chosen by a word on the command line, known without a framework being loaded."""

from typing import Literal

# How weights are stored in a bundle: in 16, 12 and 8 bits, or in 32.
Storage = Literal["mixed", "fp32"]
# What an imported model gives; auto: found out.
Output = Literal["auto", "logits", "probabilities"]
# The pixels that an imported model wants.
Scaling = Literal["0..255", "0..1", "-1..1", "imagenet"]
