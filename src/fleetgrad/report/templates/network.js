// The winner, as `fleetgrad.forward` computes it: raw pixels in, probabilities (or a number) out.
"use strict";
const fleetgradNetwork = (() => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);

  function halves(text) {
    const words = new Uint16Array(bytes(text).buffer), out = new Float32Array(words.length);
    for (let i = 0; i < words.length; i++) {
      const word = words[i], exponent = (word >> 10) & 31, part = word & 1023;
      const size = exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : part * 2 ** -24;
      out[i] = word >> 15 ? -size : size;
    }
    return out;
  }

  function unpack(held) {
    if (held.kind === "int8") {
      return { shape: held.shape, values: new Int8Array(bytes(held.data).buffer), scale: floats(held.scale) };
    }
    return { shape: held.shape, values: held.kind === "float16" ? halves(held.data) : floats(held.data), scale: null };
  }

  const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const GELU = [2 * Math.sqrt(2 / Math.PI), 0.044715], SELU = [1.0507009873554805, 1.6732632423543772];
  const ACTIVATIONS = {
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    gelu: (x) => x * sigmoid(GELU[0] * (x + GELU[1] * x * x * x)),
    leaky_relu: (x) => Math.max(x, 0.01 * x),
    mish: (x) => x * Math.tanh(softplus(x)),
    relu: (x) => Math.max(x, 0),
    rounded_sigmoid: sigmoid,
    selu: (x) => SELU[0] * (x > 0 ? x : SELU[1] * Math.expm1(x)),
    sigmoid,
    silu: (x) => x * sigmoid(x),
    tanh: Math.tanh,
  };

  function affine(layer, x) {
    const outputs = layer.weight.shape[1], { values, scale } = layer.weight, sums = new Float64Array(outputs);
    for (let i = 0; i < x.length; i++) {
      const own = x[i], start = i * outputs;
      if (own !== 0) for (let j = 0; j < outputs; j++) sums[j] += own * values[start + j];
    }
    for (let j = 0; j < outputs; j++) sums[j] = (scale ? sums[j] * scale[j] : sums[j]) + layer.bias.values[j];
    return sums;
  }

  function normalize(layer, x) {
    if (!layer.gain) return x;
    const mean = x.reduce((sum, one) => sum + one, 0) / x.length;
    const variance = x.reduce((sum, one) => sum + (one - mean) ** 2, 0) / x.length;
    const by = 1 / Math.sqrt(variance + 1e-5);
    return x.map((one, j) => (one - mean) * by * layer.gain.values[j] + layer.offset.values[j]);
  }

  function activate(layer, activation, x) {
    if (!layer.slant) return x.map(activation);
    return x.map((one, j) => one + layer.slant.values[j] * (activation(one) - one));
  }

  function probabilities(loss, outputs) {
    const logs = loss === "cross_entropy" ? outputs : outputs.map((one) => -softplus(-one));
    const most = Math.max(...logs), shares = Array.from(logs, (one) => Math.exp(one - most));
    const sum = shares.reduce((total, one) => total + one, 0);
    return shares.map((one) => one / sum);
  }

  return function network(held) {
    const shift = unpack(held.shift).values, scale = unpack(held.scale).values;
    const layers = held.layers.map((layer) => Object.fromEntries(Object.entries(layer).map(([name, one]) => [name, unpack(one)])));
    const activation = ACTIVATIONS[held.activation];
    return (pixels) => {
      let x = Float64Array.from(pixels, (one, i) => (one - shift[i]) * scale[i]);
      layers.forEach((layer, place) => {
        x = affine(layer, x);
        if (place < layers.length - 1) x = activate(layer, activation, normalize(layer, x));
      });
      if (!held.classes.length) return [held.center + held.spread * x[0]];
      return probabilities(held.loss, x);
    };
  };
})();
