"""Keras's LSTM layer with a fast way to train it on a processor with TensorFlow.

Keras has fused kernels for GPUs only. On a processor its layer multiplies every step's input by itself, and
adds to the gradients of the weights at every step; `recurrence_cpu` does both once per sequence.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("music_pipeline")
class LSTM(keras.layers.LSTM):
    """``keras.layers.LSTM``, faster to train on a processor: the same weights, names, settings and results.

    Sequences go through `recurrence_cpu` where TensorFlow runs without a GPU and the layer is plain: tanh and
    sigmoid, a bias, no mask, no dropout of its own, neither backwards nor unrolled. Everything else, other
    backends and GPUs above all, is left to Keras.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._is_plain() and _tensorflow_without_gpu():
            self.supports_jit = False  # XLA makes it slower

    def inner_loop(
        self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the LSTM over whole sequences; Keras calls this.

        Parameters
        ----------
        sequences : tensor, shape (batch, time, width)
        initial_state : list of two tensors, shape (batch, units)
            Hidden and cell state before the first step.
        mask : bool tensor, shape (batch, time), or None
        training : bool

        Returns
        -------
        last : tensor, shape (batch, units)
            Output of the last step.
        outputs : tensor, shape (batch, time, units)
            Outputs of all steps.
        state : list of two tensors, shape (batch, units)
            Hidden and cell state after the last step.
        """
        if mask is not None or not (self._is_plain() and _tensorflow_without_gpu()):
            return super().inner_loop(sequences, initial_state, mask, training)
        import tensorflow as tf

        from pipeline_lib.models.networks import recurrence_cpu

        variables = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        weights = [tf.convert_to_tensor(variable.value) for variable in variables]
        # (batch, time, units), (batch, units), (batch, units)
        outputs, h, c = recurrence_cpu.lstm(sequences, *initial_state, *weights)
        return h, outputs, [h, c]

    def _is_plain(self) -> bool:
        return (
            self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not (self.dropout or self.recurrent_dropout or self.go_backwards or self.unroll)
        )


def _tensorflow_without_gpu() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
