"""Two peers in PyTorch: eager, one network at a time, and `torch.func.vmap` over a population."""

import contextlib
import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from peers import Layers, Net

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


class TorchDesk:
    """A device of PyTorch's, with the type of weights there.

    Args:
        device: `cpu`, or `cuda:0` and so on.
        dtype: Of the weights; float64 in the tests.
    """

    def __init__(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = torch.device(device), dtype
        if self.device.type == "cuda":  # JAX's default there is TF32 too
            torch.set_float32_matmul_precision("high")

    def put(self, order: np.ndarray) -> torch.Tensor:
        """An array of NumPy's, on the device."""
        return torch.from_numpy(order).to(self.device)

    def wait(self) -> None:
        """Until the device is idle: a card only takes notes of what it is to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Eager:
    """A `Sequential` under autograd, with the fused optimizer.

    Args:
        net: What to train.
        layers: Initial weights; copied.
        x: Scaled inputs (rows, features), of the desk's type.
        y: Labels (rows,).
        desk: Where it works.
    """

    networks, shuffles, differs = 1, True, ""

    def __init__(
        self,
        net: Net,
        layers: Layers,
        x: np.ndarray,
        y: np.ndarray,
        desk: TorchDesk,
    ) -> None:
        self.net, self.call_rows, self._device = net, net.batch_size, desk.device
        self.model = module(net, layers, desk.dtype).to(desk.device)
        self.loss = torch.zeros((), device=desk.device)
        self._data = desk.put(x), desk.put(y).long()
        self._optimizer = _optimizer(net, dict(self.model.named_parameters()))

    def work(self, rows: torch.Tensor) -> None:
        """One step on these rows."""
        x, y = (array[rows] for array in self._data)
        self._optimizer.zero_grad()
        with _precision(self.net, self._device):
            loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self._optimizer.step()
        self.loss += loss.detach()

    def layers(self) -> Layers:
        """The weights as they are now."""
        return _layers(dict(self.model.named_parameters()))


class Vmap:
    """A population as one program: `vmap` over `grad`, all networks on the same minibatch.

    Args:
        net: What to train.
        layers: Initial weights of the first network; the others start from them too, which costs
            nothing else.
        x: Scaled inputs (rows, features), of the desk's type.
        y: Labels (rows,).
        networks: In the population.
        desk: Where it works.
    """

    shuffles, differs = True, ""

    def __init__(
        self,
        net: Net,
        layers: Layers,
        x: np.ndarray,
        y: np.ndarray,
        networks: int,
        desk: TorchDesk,
    ) -> None:
        self.net, self.networks, self.call_rows = net, networks, net.batch_size
        self._device = desk.device
        models = [module(net, layers, desk.dtype).to(desk.device) for _ in range(networks)]
        self._params, _ = stack_module_state(models)
        self._data = desk.put(x), desk.put(y).long()
        self._optimizer = _optimizer(net, self._params)
        stateless = copy.deepcopy(models[0]).to("meta")

        def loss(params: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(functional_call(stateless, params, (x,)), y)

        self._slopes = vmap(grad(loss), in_dims=(0, None, None), randomness="different")

    def work(self, rows: torch.Tensor) -> None:
        """One step of every network on these rows."""
        x, y = (array[rows] for array in self._data)
        with _precision(self.net, self._device):
            slopes = self._slopes({k: v.detach() for k, v in self._params.items()}, x, y)
        for name, param in self._params.items():
            param.grad = slopes[name]
        self._optimizer.step()

    def layers(self, network: int) -> Layers:
        """One network's weights as they are now."""
        return _layers({name: array[network] for name, array in self._params.items()})


def module(net: Net, layers: Layers, dtype: torch.dtype) -> nn.Sequential:
    """The network, with these weights."""
    parts: list[nn.Module] = []
    for weight, bias in layers:
        inputs, outputs = weight.shape
        linear = nn.Linear(inputs, outputs, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        parts += [linear, ACTIVATIONS[net.activation]()]
        parts += [nn.Dropout(net.dropout)] if net.dropout else []
    last = max(number for number, part in enumerate(parts) if isinstance(part, nn.Linear))
    return nn.Sequential(*parts[: last + 1])


def _optimizer(net: Net, params: dict[str, torch.Tensor]) -> torch.optim.Optimizer:
    """As told; elementwise, so that stacked parameters are trained as if each alone."""
    weights = [param for name, param in params.items() if name.endswith("weight")]
    others = [param for name, param in params.items() if not name.endswith("weight")]
    if net.optimizer == "sgd":
        return torch.optim.SGD(weights + others, lr=net.learning_rate, fused=True)
    if net.optimizer == "adam":
        return torch.optim.Adam(weights + others, lr=net.learning_rate, fused=True)
    groups = [
        {"params": weights, "weight_decay": net.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=net.learning_rate, fused=True)


def _precision(net: Net, device: torch.device) -> contextlib.AbstractContextManager[None]:
    if net.precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def _layers(params: dict[str, torch.Tensor]) -> Layers:
    arrays = [param.detach().cpu().numpy() for param in params.values()]
    return [(arrays[at].T, arrays[at + 1]) for at in range(0, len(arrays), 2)]
