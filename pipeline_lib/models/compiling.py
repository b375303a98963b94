"""One program of a whole function, on whatever backend Keras has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, compiled by XLA on TensorFlow and JAX.

    Keras would leave networks with LSTM layers uncompiled, since cuDNN reads whole sequences faster than a
    compiled loop; but it has no single steps.

    Parameters
    ----------
    function : callable
        From arrays to tensors; whatever else it reads, such as weights, must not change any more.
    """
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            # Without AutoGraph: nothing here depends on it, and to translate the functions takes longer than XLA.
            return tf.function(function, jit_compile=True, autograph=False)
        case "jax":
            import jax

            return jax.jit(function)
        case _:
            import torch

            return torch.inference_mode()(_from_numpy(function))


def _from_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch indexes no NumPy arrays with tensors."""

    def converted(*arguments: Any) -> Any:
        return function(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

    return converted
