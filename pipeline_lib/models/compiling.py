"""Compiling a function as a whole, on whatever backend Keras has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function: by XLA on TensorFlow and JAX; PyTorch runs it as it is, without gradients.

    Keras would leave networks with LSTM layers uncompiled, since cuDNN reads whole sequences faster than a
    compiled loop; but cuDNN cannot do single steps.

    Parameters
    ----------
    function : callable
        A function from arrays to tensors. Whatever else it reads, such as weights, must not change any more.

    Returns
    -------
    callable
        A function with the same arguments and results.
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
    """Convert the arguments to tensors first: PyTorch cannot index NumPy arrays with tensors."""

    def converted(*arguments: Any) -> Any:
        return function(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

    return converted
