"""A GPU that is not there: tensors that say they are on ``cuda``, and whose values are computed on the CPU.

The fake tensors of PyTorch need a CUDA build: without it, autograd looks for the device and aborts. OpenReg,
its backend for tests, is not in its wheels. Here, every tensor on the device is an ``OnDevice``. Operations
run on the CPU, so results can be compared with those of a CPU, and each is checked for what a GPU would
refuse: operands on two devices, a generator of another device, values as NumPy. Inside ``without_waiting``,
it is also checked for what makes the host wait: ``item()``, ``float()``, ``nonzero()``, an index of booleans,
copies to the host, and copies from memory that is not pinned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.utils import clip_grad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_iter, tree_map

aten = torch.ops.aten
GPU = torch.device("cuda", 0)
# operations whose result, or its shape, is known only when the device is done
READS = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.equal.default,
    aten.bincount.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
    aten.repeat_interleave.Tensor,
}
# operations that take operands of two devices
COPIES = {aten.copy_.default, aten._to_copy.default}
# functions of several operations that a GPU computes without waiting, and a CPU with checks of values
WHOLE = {torch.nn.functional.one_hot}


class BreaksOnGpu(AssertionError):
    """The code would fail on a GPU, or wait for it."""


class OnDevice(torch.Tensor):
    """A tensor on the device; ``value`` has its numbers, on the CPU."""

    value: torch.Tensor
    device = property(lambda self: GPU)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> OnDevice:
        assert not isinstance(value, OnDevice)
        # a view of an older tensor in inference mode is no tensor of that mode
        with torch.inference_mode(False):
            found: OnDevice = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls, value.shape, value.stride(), value.storage_offset(), dtype=value.dtype, device="cpu"
            )
        found.value = value
        return found

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.value!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        check(func, args, kwargs)
        result = func(*tree_map(_value, args), **tree_map(_value, kwargs))
        return return_and_correct_aliasing(func, args, kwargs, tree_map(_on_device, result))


def _value(one: Any) -> Any:
    return one.value if isinstance(one, OnDevice) else one


def _on_device(one: Any) -> Any:
    return OnDevice(one) if isinstance(one, torch.Tensor) and not isinstance(one, OnDevice) else one


def check(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Refuse an operation that fails on a GPU or, where waiting is refused, waits."""
    tensors = [one for one in tree_iter((args, kwargs)) if isinstance(one, torch.Tensor)]
    hosts = [one for one in tensors if not isinstance(one, OnDevice)]
    # autograd itself adds zeros in compiled code, to which all tensors here are on the CPU
    zeros = func in (aten.cat.default, aten.index_put.default) and torch._C._current_graph_task_id() >= 0
    # a single number on the host is an argument of a kernel
    if func not in COPIES and not zeros and any(one.ndim for one in hosts):
        raise BreaksOnGpu(f"{func} takes tensors on the host beside tensors on the device")
    if kwargs.get("generator") is not None:
        raise BreaksOnGpu(f"{func} draws on the device from a generator on the host")
    indices = args[1] if func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default) else ()
    masks = any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in indices)
    if func in READS or (func is aten.index.Tensor and masks) or (masks and args[2].numel() > 1):
        waits(func)
    if func is aten.copy_.default and hosts and isinstance(args[0], OnDevice):
        _sent(args[1], kwargs.get("non_blocking", len(args) > 2 and args[2]))


def waits(what: object) -> None:
    """Note that the host waits for the device, and refuse it where waiting is refused."""
    if PretendGpu.strict:
        raise BreaksOnGpu(f"{what} waits for the device")


def _sent(source: torch.Tensor, non_blocking: bool) -> None:
    # the copy of a single number is an argument of a kernel
    if not (non_blocking and getattr(source, "pinned", False)):
        waits("a copy from memory that is not pinned")


def _is_gpu(one: object) -> bool:
    return (isinstance(one, str) and one.split(":")[0] == "cuda") or (
        isinstance(one, torch.device) and one.type == "cuda"
    )


def _is_host(one: object) -> bool:
    return one == "cpu" or (isinstance(one, torch.device) and one.type == "cpu")


class PretendGpu(TorchFunctionMode):
    """Calls of PyTorch that name a device, on a machine that has the device ``cuda``."""

    strict = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        first = args[0] if args else None
        if name == "_parse_to":  # reads the arguments of ``Module.to``, and moves nothing
            return func(*args, **kwargs)
        if func in WHOLE and isinstance(first, OnDevice):
            return _on_device(func(*tree_map(_value, args), **tree_map(_value, kwargs)))
        other = args[1] if name == "to" and len(args) > 1 else kwargs.pop("other", None)
        if isinstance(other, torch.Tensor):  # its device and its type
            kwargs |= {"device": other.device, "dtype": other.dtype}
            args = (first, *args[2:])
        if name == "pin_memory":
            pinned = first.clone()
            pinned.pinned = True
            return pinned
        if isinstance(first, OnDevice):
            if name in ("numpy", "__array__"):
                raise BreaksOnGpu("values on the device are no NumPy array")
            if name == "tolist":
                waits(name)
                return first.value.tolist()
            if name == "cpu" or (name == "to" and any(_is_host(one) for one in (*args, *kwargs.values()))):
                waits("a copy to the host")
                rest = [one for one in args[1:] if not _is_host(one)]
                named = {key: one for key, one in kwargs.items() if key != "device" and key != "non_blocking"}
                moved = first.value.clone()
                return moved.to(*rest, **named) if rest or named else moved
            if name == "is_pinned":
                return False
        if name == "cuda":
            name, func, args = "to", torch.Tensor.to, (first, GPU)
        devices = [one for one in (*args, *kwargs.values()) if _is_gpu(one)]
        if not devices:
            return func(*args, **kwargs)
        if kwargs.get("generator") is not None:
            raise BreaksOnGpu(f"{name} draws on the device from a generator on the host")
        args = tuple(torch.device("cpu") if _is_gpu(one) else one for one in args)
        kwargs = {key: torch.device("cpu") if _is_gpu(one) else one for key, one in kwargs.items()}
        if isinstance(first, torch.Tensor) and not isinstance(first, OnDevice):
            _sent(first, kwargs.pop("non_blocking", False))
            # a copy, as on a GPU: changing one does not change the other
            kwargs["copy"] = True
        elif name in ("tensor", "as_tensor", "from_numpy"):
            waits(f"torch.{name} with a device, which copies from memory that is not pinned,")
        found = func(*args, **kwargs)
        return _on_device(found)


@contextmanager
def pretend_gpu(free: int = 2**40) -> Iterator[None]:
    """A context in which the device ``cuda`` is there, with some free memory in bytes."""

    def autocast(device: str, *args: Any, enabled: bool = True, **kwargs: Any) -> torch.autocast:
        if enabled and device != "cuda":
            raise BreaksOnGpu(f"autocast on {device} does nothing for tensors on the device")
        return real("cpu", *args, enabled=enabled, **kwargs)

    def grouped(tensors: list[list[torch.Tensor]], *more: bool) -> dict[Any, Any]:
        # it is compiled code, to which all our tensors are on the CPU
        on_device = any(isinstance(one, OnDevice) for one in tensors[0])
        found = group(tensors, *more)
        return {(GPU if on_device else device, dtype): rest for (device, dtype), rest in found.items()}

    real, group = torch.autocast, clip_grad._group_tensors_by_device_and_dtype
    replaced = {
        clip_grad: {"_group_tensors_by_device_and_dtype": grouped},
        torch: {"autocast": autocast},
        torch.cuda: {
            "is_available": lambda: True,
            "device_count": lambda: 1,
            "get_device_name": lambda *_: "a GPU that is not there",
            "mem_get_info": lambda *_: (free, free),
            "synchronize": lambda *_: waits("synchronize"),
        },
    }
    before = {(of, name): getattr(of, name) for of, names in replaced.items() for name in names}
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    # parameters are replaced: the values of a parameter cannot become those of another class
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    for of, names in replaced.items():
        for name, value in names.items():
            setattr(of, name, value)
    try:
        with PretendGpu():
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
        for (of, name), value in before.items():
            setattr(of, name, value)


@contextmanager
def without_waiting() -> Iterator[None]:
    """A context in which nothing waits for the device."""
    before, PretendGpu.strict = PretendGpu.strict, True
    try:
        yield
    finally:
        PretendGpu.strict = before
