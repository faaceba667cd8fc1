"""The attention kernels' text, compiled as the trainer compiles it (NVRTC), on a card of compute capability 9.0.

Holds output and gradients against the plain computation in 32 bits, with documents of many lengths, and repeats them for
bytes that differ. Then times both forms of the kernels beside PyTorch's FlashAttention-2 and cuDNN: medians of 30 runs
between events of the card, queries and keys already turned, gradients added up over the heads of a group.

    python3 benches/train/attention.py            # needs torch with CUDA and the toolkit's headers (CUDA_PATH)
"""

import ctypes
import glob
import os
import statistics
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEXT = os.path.join(ROOT, "trainer", "src", "kernels", "gpu", "cuda")
HOPPER = ["attention.cuh", "hopper/instructions.cuh", "hopper/tiles.cuh", "hopper/forward.cu", "hopper/backward_queries.cu",
          "hopper/backward_keys.cu"]
INCLUDE = os.path.join(os.environ.get("CUDA_PATH", "/usr/local/cuda"), "include")
CLOSE = 4e-3  # a few roundings to 8 bits


def up(a, b):
    return -(-a // b)


def library(names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            pass
    sys.exit(f"none of {names} opens")


def nvrtc():
    beside = os.path.join(os.path.dirname(torch.__file__), "..", "nvidia", "*", "lib", "libnvrtc.so.*")
    own = [path for path in glob.glob(beside) if "alt" not in path]
    return library([*own, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"])


NVRTC, DRIVER = nvrtc(), library(["libcuda.so.1"])


def check(code, what):
    if code != 0:
        sys.exit(f"{what}: error {code}")


class Module:
    """Kernels of some files of `cuda/`, by name."""

    def __init__(self, files, **defines):
        text = "".join(open(os.path.join(TEXT, name), encoding="utf-8").read() for name in ["common.cuh", *files])
        options = ["--std=c++17", "--gpu-architecture=sm_90a", f"-I{INCLUDE}", *(f"-D{k}={v}" for k, v in defines.items())]
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(NVRTC.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None), "create the program")
        code = NVRTC.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*map(str.encode, options)))
        NVRTC.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        NVRTC.nvrtcGetProgramLog(program, log)
        check(code, f"compile {files}: {log.value.decode()}")
        if log.value.strip():
            print(log.value.decode(), file=sys.stderr)  # products that the compiler serializes are told of here
        check(NVRTC.nvrtcGetCUBINSize(program, ctypes.byref(size)), "size of the kernels")
        image = ctypes.create_string_buffer(size.value)
        check(NVRTC.nvrtcGetCUBIN(program, image), "get the kernels")
        self.module, self.functions = ctypes.c_void_p(), {}
        check(DRIVER.cuModuleLoadData(ctypes.byref(self.module), image), "load the kernels")

    def launch(self, name, grid, threads, shared, args):
        if name not in self.functions:
            function = ctypes.c_void_p()
            check(DRIVER.cuModuleGetFunction(ctypes.byref(function), self.module, name.encode()), name)
            check(DRIVER.cuFuncSetAttribute(function, 8, max(shared, 48 << 10)), name)  # dynamic shared memory
            self.functions[name] = function
        pointers = (ctypes.c_void_p * len(args))(*(ctypes.cast(ctypes.byref(arg), ctypes.c_void_p) for arg in args))
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        check(DRIVER.cuLaunchKernel(self.functions[name], *grid, threads, 1, 1, shared, stream, pointers, None), name)


def at(tensor):
    return ctypes.c_uint64(tensor.data_ptr())


def boxes(tensor, rows, length):
    """As `boxes.rs`: bfloat16, 64 positions and 64 columns, swizzled by 128 bytes, zeros outside."""
    width, memory = tensor.shape[1], ctypes.create_string_buffer(256)
    aligned = up(ctypes.addressof(memory), 64) * 64
    u64, u32 = ctypes.c_uint64, ctypes.c_uint32
    sizes, strides = (u64 * 3)(width, length, rows), (u64 * 2)(2 * width, 2 * width * length)
    code = DRIVER.cuTensorMapEncodeTiled(ctypes.c_void_p(aligned), 9, 3, ctypes.c_void_p(tensor.data_ptr()), sizes, strides,
                                         (u32 * 3)(64, 64, 1), (u32 * 3)(1, 1, 1), 0, 3, 2, 0)
    check(code, "map a tensor")
    found = (ctypes.c_char * 128).from_address(aligned)
    found.memory = memory
    return found


class Attention:
    """One size of head; `run` of what a case has."""

    def __init__(self, head):
        self.head = head
        self.layer = Module(["layer.cu"])

    def take(self, case):
        self.case = case
        q, k = case.q, case.k
        self.out, self.dq, self.part_k, self.part_v = (torch.full_like(q, float("nan")) for _ in range(4))
        self.dk, self.dv = (torch.full_like(k, float("nan")) for _ in range(2))
        if case.heads == case.kv_heads:
            self.part_k, self.part_v = self.dk, self.dv
        self.lse = torch.full((case.heads, case.rows * up(case.length, 64) * 64), float("nan"), device="cuda")
        self.delta = torch.full_like(self.lse, float("nan"))
        groups = case.heads // case.kv_heads
        self.tail = [ctypes.c_int(case.length), ctypes.c_int(case.heads), ctypes.c_int(groups), ctypes.c_float(self.head**-0.5)]

    def grid(self, positions):
        return self.case.heads, self.case.rows, up(self.case.length, positions)

    def tile(self, positions):
        return positions * self.head * 2

    def backward(self):
        self.kernels_back()
        case = self.case
        if case.heads != case.kv_heads:
            chunks = case.k.numel() // 8
            args = [*map(at, (self.part_k, self.part_v, self.dk, self.dv)), ctypes.c_int64(chunks),
                    ctypes.c_int(self.head // 8), ctypes.c_int(case.heads // case.kv_heads)]
            self.layer.launch("sum_groups", (up(chunks, 256), 2, 1), 256, 0, args)


class Hopper(Attention):
    """As `attention/hopper.rs`."""

    name = "malmoi (wgmma)"

    def __init__(self, head):
        super().__init__(head)
        self.warpgroups, self.ring = (3, 3) if head == 64 else (2, 2)
        self.module = Module(HOPPER, HEAD=head, WARPGROUPS=self.warpgroups, KEYS=128, RING=self.ring, WARPGROUPS_BACK=2, STREAM=64,
                             RING_BACK=4)

    def take(self, case):
        super().take(case)
        self.maps = [boxes(x, case.rows, case.length) for x in (case.q, case.k, case.v, case.d_out)]

    def forward(self):
        shared = self.tile(self.warpgroups * 64) + 2 * self.ring * self.tile(128)
        args = [*self.maps[:3], at(self.case.first), at(self.out), at(self.lse), *self.tail]
        self.module.launch("attention_forward", self.grid(self.warpgroups * 64), self.warpgroups * 128 + 128, shared, args)

    def kernels_back(self):
        shared = 2 * self.tile(128) + 8 * self.tile(64)
        for name, buffers in (("attention_backward_q", (self.out, self.lse, self.delta, self.case.first, self.dq)),
                              ("attention_backward_kv", (self.lse, self.delta, self.case.last, self.part_k, self.part_v))):
            self.module.launch(name, self.grid(128), 384, shared, [*self.maps, *map(at, buffers), *self.tail])


class Anywhere(Attention):
    """As `attention/anywhere.rs`."""

    name = "malmoi (mma)"

    def __init__(self, head):
        super().__init__(head)
        self.module = Module(["attention.cuh", "attention.cu"], HEAD=head)
        self.own, self.keys_back = (128, 32) if head == 64 else (64, 64)

    def forward(self):
        case = self.case
        args = [*map(at, (case.q, case.k, case.v, case.first, self.out, self.lse)), *self.tail]
        self.module.launch("attention_forward", self.grid(self.own), 128, self.tile(self.own) + 4 * self.tile(64), args)

    def kernels_back(self):
        case, cells = self.case, self.case.rows * self.case.length
        args = [*map(at, (self.out, case.d_out, self.delta)), ctypes.c_int(cells), ctypes.c_int(case.heads)]
        self.module.launch("attention_delta", (up(cells * case.heads, 8), 1, 1), 256, 0, args)
        given = (case.q, case.k, case.v, case.d_out, self.lse, self.delta, case.first)
        for name, more, keys in (("attention_backward_kv", (case.last, self.part_k, self.part_v), 32),
                                 ("attention_backward_q", (self.dq,), self.keys_back)):
            shared = 2 * self.tile(self.own) + 4 * self.tile(keys)
            self.module.launch(name, self.grid(self.own), 128, shared, [*map(at, given + more), *self.tail])


class Case:
    """Random tensors of a shape; documents of at most `longest` tokens, or whole rows."""

    def __init__(self, rows, length, heads, kv_heads, head, longest=0):
        self.rows, self.length, self.heads, self.kv_heads, self.head, self.longest = rows, length, heads, kv_heads, head, longest
        chance = torch.Generator("cuda").manual_seed(longest)
        draw = lambda width: torch.randn(rows * length, width, device="cuda", generator=chance).bfloat16()
        self.q, self.d_out = draw(heads * head), draw(heads * head)
        self.k, self.v = draw(kv_heads * head), draw(kv_heads * head)
        chance = torch.Generator().manual_seed(longest)
        spans = []
        for row in range(rows):
            begin = 0
            while begin < length:  # the last of several rows is one document
                whole = longest == 0 or (rows > 1 and row + 1 == rows)
                count = length if whole else int(torch.randint(1, longest, (1,), generator=chance))
                count = min(count, length - begin)
                spans += [(begin, begin + count - 1)] * count
                begin += count
        spans = torch.tensor(spans, dtype=torch.int32, device="cuda")
        self.first, self.last = spans[:, 0].contiguous(), spans[:, 1].contiguous()

    def __str__(self):
        documents = f", documents to {self.longest}" if self.longest else ""
        return f"{self.rows} x {self.length}, {self.heads} and {self.kv_heads} heads of {self.head}{documents}"

    def plain(self):
        """Output and the three gradients in 32 bits."""
        groups = self.heads // self.kv_heads
        split = lambda x: x.float().view(self.rows, self.length, -1, self.head).transpose(1, 2)
        join = lambda x: x.transpose(1, 2).reshape(self.rows * self.length, -1)
        q, k, v, d_out = map(split, (self.q, self.k, self.v, self.d_out))
        out, dq, dk, dv = (torch.zeros_like(x) for x in (q, q, k, v))
        places = torch.arange(self.length, device="cuda")
        for row in range(self.rows):
            first = self.first[row * self.length : (row + 1) * self.length]
            seen = (places <= places[:, None]) & (places >= first[:, None])
            for head in range(self.heads):
                kv = head // groups
                scores = (q[row, head] @ k[row, kv].T) * self.head**-0.5
                p = scores.masked_fill(~seen, float("-inf")).softmax(-1)
                dp = d_out[row, head] @ v[row, kv].T
                ds = p * (dp - (p * dp).sum(-1, keepdim=True)) * self.head**-0.5
                out[row, head] = p @ v[row, kv]
                dq[row, head] = ds @ k[row, kv]
                dk[row, kv] += ds.T @ q[row, head]
                dv[row, kv] += p.T @ d_out[row, head]
        return [join(x) for x in (out, dq, dk, dv)]


def hold(kernels, case, repeats):
    kernels.take(case)
    results = [kernels.out, kernels.dq, kernels.dk, kernels.dv]
    kernels.forward()
    kernels.backward()
    found = [x.clone() for x in results]
    errors = [((a.float() - b).norm() / b.norm()).item() for a, b in zip(found, case.plain())]
    changed = 0
    for _ in range(repeats):
        kernels.forward()
        kernels.backward()
        changed += not all(torch.equal(a.view(torch.int16), b.view(torch.int16)) for a, b in zip(found, results))
    told = ", ".join(f"{error:.1e}" for error in errors)
    print(f"{kernels.name}, {case}: errors {told}; {changed} of {repeats} repeats differ", flush=True)
    if changed or not all(error < CLOSE for error in errors):
        sys.exit("that is not attention")


def milliseconds(run):
    for _ in range(20):
        run()
    marks = []
    for _ in range(30):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        marks.append((begin, end))
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in marks)


def peers(case):
    split = lambda x: x.view(case.rows, case.length, -1, case.head).transpose(1, 2).detach()
    q, k, v = (split(x).requires_grad_() for x in (case.q, case.k, case.v))
    d_out = split(case.d_out)
    for name, backend in (("FlashAttention-2", SDPBackend.FLASH_ATTENTION), ("cuDNN", SDPBackend.CUDNN_ATTENTION)):
        with sdpa_kernel(backend):
            run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            out = run()
            yield name, milliseconds(run), milliseconds(lambda: torch.autograd.grad(out, (q, k, v), d_out, retain_graph=True))


def main():
    if not torch.cuda.is_available() or torch.cuda.get_device_capability() != (9, 0):
        print("skipped: no card of compute capability 9.0", file=sys.stderr)
        return
    torch.zeros(1, device="cuda")
    shapes = {64: [(4, 2048, 14, 2), (2, 4096, 14, 2)], 128: [(2, 4096, 28, 4)]}
    for head, sizes in shapes.items():
        both = [Hopper(head), Anywhere(head)]
        for kernels in both:
            for shape in [(2, 150, 4, 2, 60), (2, 64, 4, 2, 0), (1, 1024, 4, 4, 0), (2, 1500, 4, 1, 40), (3, 700, 6, 2, 300)]:
                hold(kernels, Case(*shape[:4], head, shape[4]), 200)
        for size in sizes:
            for longest in (0, 1000):
                case = Case(*size, head, longest)
                rows = []
                for kernels in both:
                    kernels.take(case)
                    rows.append((kernels.name, milliseconds(kernels.forward), milliseconds(kernels.backward)))
                rows += peers(case) if longest == 0 else []
                for name, forward, backward in rows:
                    print(f"{case}: {name}: forward {forward:.3f} ms, backward {backward:.3f} ms", flush=True)


if __name__ == "__main__":
    main()
