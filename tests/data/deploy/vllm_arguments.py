"""vLLM's own parser reads the configuration that `malmoi deploy` wrote for it.

    python vllm_arguments.py WHEEL_UNPACKED serve vllm.yaml

The first argument is the folder of the unpacked wheel of vLLM (used with 0.33.0); what its modules import has to be there, PyTorch among
it, but no card and no compiled part of it. The words of `serve` go through the parser of `vllm serve`, with the file beside them in
the place of the one in the image, and from there into vLLM's arguments of an engine. A configuration with a key that vLLM does not
know has to be refused, so that an acceptance means something.
"""

import contextlib
import io
import os
import shlex
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
# Without a card it would ask which kind of device there is.
os.environ |= {"VLLM_TARGET_DEVICE": "cpu", "VLLM_NO_USAGE_STATS": "1"}

import yaml
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.common.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

serve, path = sys.argv[2:]
words = shlex.split(next(line for line in open(serve) if line.startswith("exec ")))[2:]


def read(config):
    parser = FlexibleArgumentParser()
    make_arg_parser(parser.add_subparsers(dest="subparser").add_parser("serve"))
    given = [config if words[at - 1] == "--config" else word for at, word in enumerate(words)]
    # The parser looks for the configuration's file in the program's own words.
    sys.argv = ["vllm", *given]
    arguments = parser.parse_args(given)
    validate_parsed_serve_args(arguments)
    return arguments


arguments = read(path)
engine = AsyncEngineArgs.from_cli_args(arguments)
wanted = yaml.safe_load(open(path))
wrong = []
for key, value in wanted.items():
    name = key.replace("-", "_")
    found = getattr(engine, name) if hasattr(engine, name) else getattr(arguments, name)
    if found != value and found != [value]:
        wrong.append(f"{key} is {found!r}, not {value!r}")
if (arguments.host, arguments.port) != ("0.0.0.0", 8000):
    wrong.append(f"address {arguments.host}:{arguments.port}")
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    yaml.safe_dump(wanted | {"max-model-length": 1}, file)
    file.flush()
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            read(file.name)
            wrong.append("a key that vLLM does not have was read")
        except SystemExit:
            pass
print(f"{path}: vLLM's parser, {len(wanted)} keys: {'FAILED ' + '; '.join(wrong) if wrong else 'as it should be'}")
sys.exit(bool(wrong))
