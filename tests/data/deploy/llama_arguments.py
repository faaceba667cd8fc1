"""llama.cpp's own parser of arguments reads what `malmoi deploy` wrote for its server.

    python llama_arguments.py path/to/bins/linux-x64 serve [serve ...]

The first argument is the folder of llama.cpp's libraries in the npm package @node-llama-cpp/linux-x64 (used with 3.22.1,
llama.cpp 0.5.0), whose `libllama-common` has the parser of `llama-server`; it is called through ctypes, no code of the package
runs besides. Of the first file every argument with a value is tried without it, and one that does not exist is added: both
have to be refused, so that an acceptance means something.
"""

import ctypes as C
import glob
import os
import shlex
import sys

BIG = 1 << 20
folder = os.path.abspath(sys.argv[1])
library = lambda name: C.CDLL(sorted(glob.glob(os.path.join(folder, name)))[0], mode=C.RTLD_GLOBAL)
for name in ("libggml-base*", "libggml.*", "libllama.*"):
    library(name)
common = library("libllama-common*")
parse = common._Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E
parse.argtypes = [C.c_int, C.POINTER(C.c_char_p), C.c_void_p, C.c_int, C.c_void_p]
parse.restype = C.c_bool
construct = common._ZN13common_paramsC1Ev
construct.argtypes = [C.c_void_p]


def accepts(words, example):
    # Never destroyed, and larger than it is: the structure's size differs from version to version.
    params = C.create_string_buffer(BIG)
    construct(params)
    values = (C.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)
    return parse(len(words), values, params, example, None)


def quietly(words, example):
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        return accepts(words, example)
    finally:
        os.dup2(saved, 2)
        os.close(null)
        os.close(saved)


# The number of the server among llama.cpp's programs changes: it is the one that knows this argument.
servers = [number for number in range(32) if quietly(["llama-server", "--slot-save-path", folder], number)]
if len(servers) != 1:
    sys.exit(f"which of llama.cpp's programs is the server cannot be told: {servers}")
[server] = servers
failed = False
for at, path in enumerate(sys.argv[2:]):
    command = next(line for line in open(path) if line.startswith("exec "))
    words = shlex.split(command)[1:]
    fine = accepts(words, server)
    detail = f"{len(words) - 1} words"
    if at == 0:
        named = [i for i in range(1, len(words) - 1) if words[i].startswith("--") and not words[i + 1].startswith("--")]
        cases = [words[: i + 1] for i in named] + [words + ["--no-such-argument"]]
        wrong = [case for case in cases if quietly(case, server)]
        fine &= not wrong
        detail += f", {len(cases) - len(wrong)} of {len(cases)} spoiled ones refused"
    failed |= not fine
    print(f"{path}: llama.cpp's parser, {detail}: {'as it should be' if fine else 'FAILED'}", flush=True)
sys.exit(failed)
