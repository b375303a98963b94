"""An LSTM over whole sequences that is fast to train with TensorFlow on a processor.

The equations are those of Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), for
Keras's weights and in its order of gates:

    i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of x W + h R + b;    c' = f c + i g;    h' = o tanh(c')

After Appleyard et al. (2016), only what needs the step before stays in the loop over time: ``h R`` forward and
``dz R^T`` backward. The projection of the input, and the gradients of the input and of all weights, are one
matrix product each over all steps. Automatic differentiation adds to the weights' gradient at every step
instead, which is where most of the time of Keras's own layer goes.

Arrays are (features, batch) inside the loops, and (features, time * batch) outside; features are the inputs'
width, ``units``, or ``4 units`` for the four gates. So a gate is one block of memory that is taken without a copy,
and the wide factor of each small product is read along its rows: with the transposed one Eigen needs up to four
times as long.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class _Steps(NamedTuple):
    """Values of each step that back-propagation needs: the cell before it, and its gates.

    All are arrays over time of (units, batch), but `input_forget`, which holds two gates: (2, units, batch).
    """

    cell_before: Any
    input_forget: Any
    candidate: Any
    output: Any


@tf.custom_gradient  # type: ignore[untyped-decorator]
def lstm(inputs: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    """Run an LSTM over whole sequences: all outputs, and the state after the last step.

    Parameters
    ----------
    inputs : tensor, shape (batch, time, width)
        Batch and time may be unknown until run time; at least one step.
    h, c : tensors, shape (batch, units)
        Output and cell before the first step.
    kernel, recurrent_kernel, bias : tensors, shapes (width, 4 units), (units, 4 units), (4 units,)
        Keras's weights; the gates are in its order.

    Returns
    -------
    tuple of tensors, shapes (batch, time, units), (batch, units), (batch, units)
        Outputs; output and cell after the last step.
    """
    n_steps = tf.shape(inputs)[1]
    x = _columns(tf.transpose(inputs, [1, 2, 0]))  # (width, time * batch)
    z = tf.matmul(kernel, x, transpose_a=True) + bias[:, None]  # (4 units, time * batch)
    first = tf.transpose(h)  # (units, batch)
    outputs, last, cell, steps = _forward(
        _by_step(z, n_steps), first, tf.transpose(c), recurrent_kernel
    )

    def gradients(d_sequence: Any, d_h: Any, d_c: Any) -> tuple[Any, ...]:
        d_first, d_cell, d_steps = _backward(
            tf.transpose(d_sequence, [1, 2, 0]),
            tf.transpose(d_h),
            tf.transpose(d_c),
            cell,
            steps,
            recurrent_kernel,
        )
        dz = _columns(d_steps)  # (4 units, time * batch)
        d_inputs = _by_step(tf.matmul(kernel, dz), n_steps)  # (time, width, batch)
        before = _columns(tf.concat([first[None], outputs[:-1]], axis=0))  # (units, time * batch)
        return (
            tf.transpose(d_inputs, [2, 0, 1]),
            tf.transpose(d_first),
            tf.transpose(d_cell),
            tf.matmul(x, dz, transpose_b=True),
            tf.matmul(before, dz, transpose_b=True),
            tf.reduce_sum(dz, axis=1),
        )

    # (batch, time, units)
    sequence = tf.ensure_shape(tf.transpose(outputs, [2, 0, 1]), [*inputs.shape[:2], h.shape[1]])
    return (sequence, tf.transpose(last), tf.transpose(cell)), gradients


def _forward(z: Any, h: Any, c: Any, recurrent_kernel: Any) -> tuple[Any, Any, Any, _Steps]:
    """Run the loop over time forwards, from the projected inputs ``z``, (time, 4 units, batch).

    Returns the outputs, (time, units, batch), the last output and cell, (units, batch), and what `_backward` needs.
    """
    n_steps, units = tf.shape(z)[0], recurrent_kernel.shape[0]
    weights = tf.transpose(recurrent_kernel)  # (4 units, units); once, not in every product

    def step(t: Any, h: Any, c: Any, outputs: Any, steps: _Steps) -> tuple[Any, ...]:
        gates = tf.reshape(z[t] + tf.matmul(weights, h), [4, units, -1])  # (4, units, batch)
        here = _Steps(c, tf.sigmoid(gates[:2]), tf.tanh(gates[2]), tf.sigmoid(gates[3]))
        i, f = tf.unstack(here.input_forget)
        c = f * c + i * here.candidate
        h = here.output * tf.tanh(c)
        steps = _Steps(*(array.write(t, value) for array, value in zip(steps, here, strict=True)))
        return t + 1, h, c, outputs.write(t, h), steps

    def array(*shape: int) -> Any:
        return tf.TensorArray(z.dtype, n_steps, element_shape=[*shape, None])

    steps = _Steps(array(units), array(2, units), array(units), array(units))
    _, h, c, outputs, steps = tf.while_loop(
        lambda t, *_: t < n_steps, step, (0, h, c, array(units), steps)
    )
    return outputs.stack(), h, c, steps


def _backward(
    d_outputs: Any, dh: Any, dc: Any, cell: Any, steps: _Steps, recurrent_kernel: Any
) -> tuple[Any, Any, Any]:
    """Run the loop over time backwards, from the gradients of all outputs, (time, units, batch).

    Returns the gradients of the first output and cell, (units, batch), and of each step's ``z``, (time, 4 units, batch).
    """
    n_steps, units = tf.shape(d_outputs)[0], recurrent_kernel.shape[0]

    def step(t: Any, dh: Any, dc: Any, cell: Any, dz: Any) -> tuple[Any, ...]:
        before, input_forget, g, o = (array.read(t) for array in steps)
        i, f = tf.unstack(input_forget)
        bounded = tf.tanh(cell)
        dh += d_outputs[t]
        dc += _through_tanh(bounded, dh * o)
        gates = [
            _through_sigmoid(i, dc * g),
            _through_sigmoid(f, dc * before),
            _through_tanh(g, dc * i),
            _through_sigmoid(o, dh * bounded),
        ]
        here = tf.concat(gates, axis=0)  # (4 units, batch)
        return t - 1, tf.matmul(recurrent_kernel, here), dc * f, before, dz.write(t, here)

    dz = tf.TensorArray(dh.dtype, n_steps, element_shape=[4 * units, None])
    _, dh, dc, _, dz = tf.while_loop(lambda t, *_: t >= 0, step, (n_steps - 1, dh, dc, cell, dz))
    return dh, dc, dz.stack()


def _through_sigmoid(y: Any, dy: Any) -> Any:
    """Gradient through ``y = sigmoid(x)``: ``dy y (1 - y)``, in one operation."""
    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)


def _through_tanh(y: Any, dy: Any) -> Any:
    """Gradient through ``y = tanh(x)``: ``dy (1 - y²)``, in one operation."""
    return tf.raw_ops.TanhGrad(y=y, dy=dy)


def _columns(steps: Any) -> Any:
    """Join time and batch into columns: (time, features, batch) -> (features, time * batch)."""
    return tf.reshape(tf.transpose(steps, [1, 0, 2]), [steps.shape[1], -1])


def _by_step(columns: Any, n_steps: Any) -> Any:
    """Undo `_columns`: (features, time * batch) -> (time, features, batch)."""
    return tf.transpose(tf.reshape(columns, [columns.shape[0], n_steps, -1]), [1, 0, 2])
