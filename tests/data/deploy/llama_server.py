"""llama.cpp's server, started with what `malmoi deploy` wrote, answers: health without a key, text with the key alone.

    python llama_server.py serve model.gguf

The server is the C++ one of the PyPI package xllamacpp (used with 2026.10.11549), which takes its options as fields, not as
words: OPTIONS says which field each argument of `serve` is, and one that is not there is an error. That the words themselves are
right is what llama_arguments.py looks at. The model's path, address and port are this machine's.
"""

import json
import shlex
import sys
import urllib.error
import urllib.request

import xllamacpp

serve, model = sys.argv[1:]
KEY = "only-for-this-test"
SPLITS = {"none": xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_NONE, "layer": xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_LAYER}
params = xllamacpp.CommonParams()
params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [KEY]
params.verbosity = 0


def put(name, value):
    def set(text):
        setattr(params, name, value(text))

    return set


OPTIONS = {
    "--model": lambda text: setattr(params.model, "path", model),
    "--alias": put("model_alias", lambda text: {text}),
    "--ctx-size": put("n_ctx", int),
    "--parallel": put("n_parallel", int),
    "--n-gpu-layers": put("n_gpu_layers", lambda text: 0 if text == "0" else -2),
    "--split-mode": put("split_mode", SPLITS.__getitem__),
    "--host": lambda text: None,
    "--port": lambda text: None,
}
FLAGS = {"--jinja": ("use_jinja", True), "--metrics": ("endpoint_metrics", True), "--no-ui": ("ui", False), "--offline": ("offline", True)}

words = iter(shlex.split(next(line for line in open(serve) if line.startswith("exec ")))[2:])
given = {}
for word in words:
    if word in FLAGS:
        setattr(params, *FLAGS[word])
    else:
        given[word] = next(words)
        OPTIONS[word](given[word])
server = xllamacpp.Server(params)
address = server.listening_address


def ask(path, body=None, key=KEY):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(address + path, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


question = {"prompt": "대한민국의", "max_tokens": 4, "temperature": 0}
answered, text = ask("/v1/completions", question)
answer = json.loads(text) if answered == 200 else {}
slots = json.loads(ask("/slots")[1] or "[]")
context = int(given["--ctx-size"]) // int(given["--parallel"])
checks = {
    "health without a key": ask("/health", key=None)[0] == 200,
    "no text without a key": ask("/v1/completions", question, key=None)[0] == 401,
    "no text with another key": ask("/v1/completions", question, key="x")[0] == 401,
    "the name": [entry["id"] for entry in json.loads(ask("/v1/models")[1])["data"]] == [given["--alias"]],
    "texts at a time and their length": [slot["n_ctx"] for slot in slots] == [context] * int(given["--parallel"]),
    "a completion": answer.get("usage", {}).get("completion_tokens", 0) > 0,
    "metrics": ask("/metrics")[0] == 200,
}
wrong = [name for name, fine in checks.items() if not fine]
print(f"{serve}: llama.cpp's server, {len(checks) - len(wrong)} of {len(checks)}: {'FAILED ' + ', '.join(wrong) if wrong else 'as it should be'}")
sys.stdout.flush()
del server
sys.exit(bool(wrong))
