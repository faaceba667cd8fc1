"""llama.cpp from the npm package @node-llama-cpp/linux-x64, called through ctypes.

`npm pack @node-llama-cpp/linux-x64` gets the package; its folder `bins/linux-x64` is what `LlamaCpp` opens. No code
of the package is run but these libraries. Used with 3.22.1.

The parameter structures of llama.cpp change from version to version. They are taken and given whole here, as
more bytes than they have; only fields at their beginning, which have not moved, are set.
"""

import ctypes as C
import glob
import os

import numpy as np

BIG = 1024


class Params(C.Structure):
    _fields_ = [("bytes", C.c_ubyte * BIG)]

    def u32(self, offset, value):
        C.cast(C.byref(self, offset), C.POINTER(C.c_uint32))[0] = value


class Batch(C.Structure):
    _fields_ = [("n_tokens", C.c_int32), ("token", C.POINTER(C.c_int32)), ("embd", C.c_void_p), ("pos", C.c_void_p), ("n_seq_id", C.c_void_p), ("seq_id", C.c_void_p), ("logits", C.POINTER(C.c_int8))]  # fmt: skip


class LlamaCpp:
    def __init__(self, folder):
        find = lambda name: sorted(glob.glob(os.path.join(folder, name)))[0]
        self.base = C.CDLL(find("libggml-base*"), mode=C.RTLD_GLOBAL)
        self.ggml = C.CDLL(find("libggml.*"), mode=C.RTLD_GLOBAL)
        self.lib = C.CDLL(find("libllama.*"), mode=C.RTLD_GLOBAL)
        self.quiet = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)(lambda level, text, data: None)
        self.lib.llama_log_set(self.quiet, None)
        # The one for any x86-64: others end the process on machines that lack an instruction they count on.
        self.ggml.ggml_backend_load.argtypes, self.ggml.ggml_backend_load.restype = [C.c_char_p], C.c_void_p
        assert self.ggml.ggml_backend_load(find("libggml-cpu-x64*").encode()), "no backend for the CPU"
        for name in ("model", "context", "model_quantize"):
            getattr(self.lib, f"llama_{name}_default_params").restype = Params
        for name, result, arguments in [
            ("model_load_from_file", C.c_void_p, [C.c_char_p, Params]),
            ("init_from_model", C.c_void_p, [C.c_void_p, Params]),
            ("model_get_vocab", C.c_void_p, [C.c_void_p]),
            ("vocab_n_tokens", C.c_int32, [C.c_void_p]),
            ("model_desc", C.c_int32, [C.c_void_p, C.c_char_p, C.c_size_t]),
            ("tokenize", C.c_int32, [C.c_void_p, C.c_char_p, C.c_int32, C.c_void_p, C.c_int32, C.c_bool, C.c_bool]),
            ("decode", C.c_int32, [C.c_void_p, Batch]),
            ("get_logits", C.POINTER(C.c_float), [C.c_void_p]),
            ("model_quantize", C.c_uint32, [C.c_char_p, C.c_char_p, C.POINTER(Params)]),
            ("free", None, [C.c_void_p]),
            ("model_free", None, [C.c_void_p]),
        ]:
            function = getattr(self.lib, f"llama_{name}")
            function.restype, function.argtypes = result, arguments

    def quantize(self, source, target, file_type, threads):
        params = self.lib.llama_model_quantize_default_params()
        params.u32(0, threads)
        params.u32(4, file_type)
        if self.lib.llama_model_quantize(source.encode(), target.encode(), C.byref(params)) != 0:
            raise RuntimeError(f"llama.cpp does not quantize {source}")

    def load(self, path):
        return Model(self, path)


class Model:
    def __init__(self, cpp, path):
        self.lib = cpp.lib
        self.model = self.lib.llama_model_load_from_file(path.encode(), self.lib.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not open {path}")
        self.vocab = self.lib.llama_model_get_vocab(self.model)

    def describe(self):
        text = C.create_string_buffer(256)
        self.lib.llama_model_desc(self.model, text, 256)
        return text.value.decode()

    def tokenize(self, text, add_special=False):
        data = text.encode()
        ids = (C.c_int32 * (len(data) + 8))()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), ids, len(ids), add_special, False)
        assert count >= 0, text
        return list(ids[:count])

    def logits(self, ids):
        """Logits of every place, one row each."""
        context = self.lib.llama_init_from_model(self.model, self.lib.llama_context_default_params())
        if not context:
            raise RuntimeError("llama.cpp makes no context")
        tokens, marks = (C.c_int32 * len(ids))(*ids), (C.c_int8 * len(ids))(*[1] * len(ids))
        if self.lib.llama_decode(context, Batch(len(ids), tokens, None, None, None, None, marks)) != 0:
            raise RuntimeError("llama.cpp does not decode")
        size = self.lib.llama_vocab_n_tokens(self.vocab)
        rows = np.ctypeslib.as_array(self.lib.llama_get_logits(context), shape=(len(ids), size)).astype(np.float64)
        self.lib.llama_free(context)
        return rows

    def close(self):
        self.lib.llama_model_free(self.model)
