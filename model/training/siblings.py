"""Siblings: members that share their first layers, the trunk, while they are trained.

The first layers of a network see strokes and paper, and cost most of a training step because their
pictures are large; what tells members apart is learnt behind them. So five siblings train in the
time of two members, and an ensemble of branches reads as well as one of whole networks (Lee et al.,
"Why M Heads are Better than One", 2015). Each member that comes out is a whole network again.
"""

import keras
import tensorflow as tf

from model.training.network import TRUNK_END


class Siblings:
    """Networks of equal build; the first one's trunk serves all of them."""

    def __init__(self, networks: list[keras.Model]) -> None:
        self._networks = networks
        self.trunk = keras.Model(networks[0].input, _trunk_end(networks[0]))
        self.branches = [keras.Model(_trunk_end(each), each.output) for each in networks]

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """RGB 0-255 float32 (n, s, s, 3) to logits float32 (members, n, classes)."""
        features = self.trunk(images, training=training)
        return tf.stack([branch(features, training=training) for branch in self.branches])

    @property
    def variables(self) -> list[keras.Variable]:
        """Of the trunk, then of every branch."""
        return [v for part in (self.trunk, *self.branches) for v in part.variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Of the trunk, then of every branch."""
        return [v for part in (self.trunk, *self.branches) for v in part.trainable_variables]

    def take_trunk(self, network: keras.Model) -> None:
        """Start behind the trunk of a trained network."""
        own = keras.Model(network.input, _trunk_end(network))
        self.trunk.set_weights(own.get_weights())

    def copy(self) -> "Siblings":
        """Siblings of the same values and with variables of their own."""
        networks = [keras.models.clone_model(each) for each in self._networks]
        for network, source in zip(networks, self.members(), strict=True):
            network.set_weights(source.get_weights())
        return Siblings(networks)

    def members(self) -> list[keras.Model]:
        """Each sibling as a whole network, with the trunk's values of now."""
        for network in self._networks[1:]:
            own = keras.Model(network.input, _trunk_end(network))
            own.set_weights(self.trunk.get_weights())
        return self._networks


def _trunk_end(network: keras.Model) -> keras.KerasTensor:
    return network.get_layer(TRUNK_END).output
