"""Updates of a network's weights, compiled for the backend that Keras runs on.

What an update does is the same everywhere: gather passages from the tokens, which lie on the device; read them;
take the gradient of the loss; clip it; let the optimiser move the weights. How it is compiled is not:
TensorFlow runs many updates in one call, so that small networks do not wait for Python; JAX compiles one
update and keeps the weights outside the network meanwhile; PyTorch runs eagerly, for only so does it use
its fused LSTM.

In shapes, ``batch`` is the number of passages of an update and ``time`` is ``seq_length``.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.training.optimisation import clip_by_global_norm, mean_loss

FloatArray = NDArray[np.float32]


class Outcome(NamedTuple):
    """Outcome of some updates: their losses and the norms of their gradients, both of shape (n_updates,),
    and the network's state after the last one.
    """

    losses: FloatArray
    gradient_norms: FloatArray
    state: list[Any]


class Updates(Protocol):
    """Compiled updates of the weights of one network."""

    def load(self, token_ids: NDArray[np.int32]) -> None:
        """Copy the tokens, shape (n_tokens,), to the device; later passages are taken from them."""

    def run(self, starts: NDArray[np.int32], state: list[Any]) -> Outcome:
        """Do the updates whose passages start at `starts`, shape (n_updates, batch); the first reads on from `state`."""


def make_updates(
    network: Network,
    optimizer: keras.optimizers.Optimizer,
    config: RunConfig,
    *,
    carries_state: bool,
) -> Updates:
    """Make the updates of a network for the backend that Keras runs on.

    Parameters
    ----------
    network : Network
    optimizer : Optimizer
        An optimiser from `optimisation.make_optimizer`.
    config : RunConfig
    carries_state : bool
        Whether each update reads on from the state that the one before left; otherwise all begin with the state that
        `Updates.run` is given.
    """
    kinds: dict[str, Any] = {
        "tensorflow": _TensorFlowUpdates,
        "jax": _JaxUpdates,
        "torch": _TorchUpdates,
    }
    kind = _MirroredUpdates if config.n_devices > 1 else kinds[keras.backend.backend()]
    updates: Updates = kind(network, optimizer, config, carries_state)
    return updates


class _Common:
    """The parts of updates that do not depend on the backend."""

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        config: RunConfig,
        carries_state: bool,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.config = config
        self.carries_state = carries_state
        self.token_ids: Any = None

    def load(self, token_ids: NDArray[np.int32]) -> None:
        """Copy the tokens to the device."""
        self.token_ids = ops.convert_to_tensor(token_ids)

    def passages(self, token_ids: Any, starts: Any) -> tuple[Any, Any]:
        """Gather passages: inputs (batch, time), and their targets, (batch, time) or the last alone (batch, 1)."""
        offsets = ops.arange(self.config.seq_length + 1, dtype="int32")
        rows = ops.take(token_ids, starts[:, None] + offsets[None, :])  # (batch, time + 1)
        return rows[:, :-1], (rows[:, -1:] if self.last_only else rows[:, 1:])

    @property
    def last_only(self) -> bool:
        """Whether only the target of a passage's last position is learnt."""
        return self.config.targets == "last"

    def loss(self, logits: Any, targets: Any) -> Any:
        """The training loss of one batch, in nats per token."""
        return mean_loss(logits, targets, self.config.label_smoothing)

    @property
    def loss_scale(self) -> Any:
        """The factor by which the loss is multiplied before its gradient is taken; 1 but for half precision."""
        return getattr(self.optimizer, "dynamic_scale", 1.0)


class _TensorFlowUpdates(_Common):
    """Updates on TensorFlow: as many as there are starts, in one compiled loop."""

    def __init__(self, *parts: Any) -> None:
        import tensorflow as tf

        super().__init__(*parts)
        self._tf = tf
        any_batch = [tf.TensorSpec([None, *s.shape[1:]]) for s in self.network.initial_state(1)]
        starts = tf.TensorSpec([None, None], tf.int32)
        # Traced once, whatever the number of updates and the size of a batch.
        self._many = tf.function(
            self._run,
            input_signature=[tf.TensorSpec([None], tf.int32), starts, any_batch],
            autograph=False,
        )

    def run(self, starts: NDArray[np.int32], state: list[Any]) -> Outcome:
        losses, norms, state = self._many(self.token_ids, starts, state)
        return Outcome(losses.numpy(), norms.numpy(), state)

    def _run(self, token_ids: Any, starts: Any, state: list[Any]) -> Any:
        tf = self._tf
        n_updates = tf.shape(starts)[0]
        results = [tf.TensorArray(tf.float32, n_updates) for _ in range(2)]

        def one(n: Any, results: list[Any], state: list[Any]) -> Any:
            loss, norm, left = self._update(token_ids, starts[n], state)
            results = [r.write(n, v) for r, v in zip(results, (loss, norm), strict=True)]
            return n + 1, results, left if self.carries_state else state

        _, results, state = tf.while_loop(
            lambda n, *_: n < n_updates, one, (0, results, state), parallel_iterations=1
        )
        return results[0].stack(), results[1].stack(), state  # (n_updates,), (n_updates,)

    def _update(self, token_ids: Any, starts: Any, state: list[Any]) -> Any:
        tf = self._tf
        inputs, targets = self.passages(token_ids, starts)
        with tf.GradientTape() as tape:
            # (batch, time or 1, vocab_size)
            logits, left = self.network(inputs, state, training=True, last_only=self.last_only)
            loss = self.loss(logits, targets)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [v.value for v in self.network.trainable_variables])
        norm = self._move([tf.convert_to_tensor(g) for g in gradients])
        return loss, norm, left

    def _move(self, gradients: list[Any]) -> Any:
        """Move the weights against the gradients; return the norm that these had before clipping."""
        gradients, norm = clip_by_global_norm(gradients, self.config.clip_norm, self.loss_scale)
        self.optimizer.apply(gradients, self.network.trainable_variables)
        return norm


class _MirroredUpdates(_TensorFlowUpdates):
    """Updates on several devices of TensorFlow, among which each batch is divided.

    The devices are those of the strategy that the network was made under (`devices.device_scope`).
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._strategy = self.network.distribute_strategy
        self._one = self._tf.function(self._on_all, reduce_retracing=True, autograph=False)

    def run(self, starts: NDArray[np.int32], state: list[Any]) -> Outcome:
        results = [self._one(self.token_ids, row, state) for row in starts]
        losses, norms = np.array([[float(v) for v in result] for result in results], np.float32).T
        return Outcome(losses, norms, state)

    def _on_all(self, token_ids: Any, starts: Any, state: list[Any]) -> Any:
        loss, norm = self._strategy.run(self._on_one, args=(token_ids, starts, state))
        return [self._strategy.reduce("MEAN", value, axis=None) for value in (loss, norm)]

    def _on_one(self, token_ids: Any, starts: Any, state: list[Any]) -> Any:
        replica = self._tf.distribute.get_replica_context()
        own = starts[replica.replica_id_in_sync_group :: self.config.n_devices]
        loss, norm, _ = self._update(token_ids, own, state)
        return loss, norm

    def _move(self, gradients: list[Any]) -> Any:
        n = self.config.n_devices
        replica = self._tf.distribute.get_replica_context()
        gradients = [g / n for g in replica.all_reduce("SUM", gradients)]
        gradients, norm = clip_by_global_norm(gradients, self.config.clip_norm, self.loss_scale)
        # The optimiser adds up the gradients that the devices give it.
        self.optimizer.apply([g / n for g in gradients], self.network.trainable_variables)
        return norm


class _JaxUpdates(_Common):
    """Updates on JAX: one compiled call each, with the weights held outside the network."""

    def __init__(self, *parts: Any) -> None:
        import jax

        super().__init__(*parts)
        self._one = jax.jit(self._update)
        self._gradient = jax.value_and_grad(self._forward, has_aux=True)

    def run(self, starts: NDArray[np.int32], state: list[Any]) -> Outcome:
        kept = (
            self.network.trainable_variables,
            self.network.non_trainable_variables,
            self.optimizer.variables,
        )
        values = [[v.value for v in variables] for variables in kept]
        losses, norms = [], []
        for row in starts:
            values, loss, norm, left = self._one(values, self.token_ids, row, state)
            state = left if self.carries_state else state
            losses.append(loss)
            norms.append(norm)
        for variables, new in zip(kept, values, strict=True):
            for variable, value in zip(variables, new, strict=True):
                variable.assign(value)
        return Outcome(np.array(losses, np.float32), np.array(norms, np.float32), state)

    def _update(self, values: Any, token_ids: Any, starts: Any, state: list[Any]) -> Any:
        trained, untrained, of_optimizer = values
        inputs, targets = self.passages(token_ids, starts)
        (loss, (untrained, left)), gradients = self._gradient(
            trained, untrained, inputs, targets, state
        )
        gradients, norm = clip_by_global_norm(gradients, self.config.clip_norm, 1.0)
        trained, of_optimizer = self.optimizer.stateless_apply(of_optimizer, gradients, trained)
        return [trained, untrained, of_optimizer], loss, norm, left

    def _forward(self, trained: Any, untrained: Any, inputs: Any, targets: Any, state: Any) -> Any:
        (logits, left), untrained = self.network.stateless_call(
            trained, untrained, inputs, state, training=True, last_only=self.last_only
        )
        return self.loss(logits, targets), (untrained, left)


class _TorchUpdates(_Common):
    """Updates on PyTorch, run eagerly."""

    def run(self, starts: NDArray[np.int32], state: list[Any]) -> Outcome:
        losses, norms = [], []
        state = [ops.convert_to_tensor(s) for s in state]
        for row in starts:
            loss, norm, left = self._update(ops.convert_to_tensor(row), state)
            state = [s.detach() for s in left] if self.carries_state else state
            losses.append(loss.item())
            norms.append(norm.item())
        return Outcome(np.array(losses, np.float32), np.array(norms, np.float32), state)

    def _update(self, starts: Any, state: list[Any]) -> Any:
        import torch

        inputs, targets = self.passages(self.token_ids, starts)
        self.network.zero_grad()
        logits, left = self.network(inputs, state, training=True, last_only=self.last_only)
        loss = self.loss(logits, targets)
        self.optimizer.scale_loss(loss).backward()
        variables = self.network.trainable_variables
        with torch.no_grad():
            gradients, norm = clip_by_global_norm(
                [v.value.grad for v in variables], self.config.clip_norm, self.loss_scale
            )
            self.optimizer.apply(gradients, variables)
        return loss, norm, left
