"""Makes what files of `malmoi deploy` are held against:

- vllm.json: the names of `vllm serve`'s arguments and of its quantizations, out of the wheel's own sources
- kubernetes.json: the fields of the objects that are written, and their types, out of Kubernetes' schema

Made with the wheel of vLLM 0.33.0 and kubernetes-validate 1.37.0, both from PyPI:
python3 make_fixtures.py WHEEL KUBERNETES_VALIDATE_FOLDER

llama-server.json is not made here: its names were read off the table in tools/server/README.md of llama.cpp at 00dc8057.
"""

import ast
import json
import pathlib
import re
import sys
import zipfile

here = pathlib.Path(__file__).parent
wheel, schemas = sys.argv[1:]


def write(name, value):
    (here / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")


# vLLM: options that are spelled out, and the fields of the frontend's classes, each of which is an option.
with zipfile.ZipFile(wheel) as file:
    source = lambda path: file.read(path).decode("utf-8")
    names = set(re.findall(r'"--([a-z0-9][a-z0-9-]*)"', source("vllm/engine/arg_utils.py")))
    frontend = ast.parse(source("vllm/entrypoints/common/cli_args.py"))
    for node in frontend.body:
        if isinstance(node, ast.ClassDef) and node.name in ("BaseFrontendArgs", "FrontendArgs"):
            fields = [item.target.id for item in node.body if isinstance(item, ast.AnnAssign)]
            names.update(field.replace("_", "-") for field in fields)
    registry = ast.parse(source("vllm/model_executor/layers/quantization/__init__.py"))
    methods = next(n.value for n in registry.body if isinstance(n, ast.Assign) and n.targets[0].id == "QuantizationMethods")
    write("vllm.json", {"version": "0.33.0", "arguments": sorted(names), "quantizations": ast.literal_eval(methods.slice)})

# Kubernetes: fields and their types, of the kinds that are written; what is of another kind is null.
KINDS = """deployment-apps-v1 deploymentspec-apps-v1 deploymentstrategy-apps-v1 labelselector-meta-v1 objectmeta-meta-v1
podtemplatespec-v1 podspec-v1 podsecuritycontext-v1 seccompprofile-v1 container-v1 containerport-v1 envvar-v1 envvarsource-v1
secretkeyselector-v1 resourcerequirements-v1 securitycontext-v1 capabilities-v1 probe-v1 httpgetaction-v1 volumemount-v1
volume-v1 persistentvolumeclaimvolumesource-v1 emptydirvolumesource-v1 persistentvolumeclaim-v1 persistentvolumeclaimspec-v1
volumeresourcerequirements-v1 service-v1 servicespec-v1 serviceport-v1""".split()
folder = pathlib.Path(schemas) / "kubernetes-json-schema" / "v1.37.0-local-strict"
kinds = {}


def kind_of(field):
    """A kind of object, a JSON type, `quantity`, `int-or-string`, one of these in a list or table; or null."""
    if "$ref" in field:
        name = field["$ref"].rsplit(".", 1)[-1]
        return {"Quantity": "quantity", "IntOrString": "int-or-string"}.get(name, name if name.lower() in wanted else None)
    types = field.get("type")
    types = [t for t in types if t != "null"] if isinstance(types, list) else [types]
    if types == ["array"]:
        return [kind_of(field["items"])]
    if types == ["object"]:
        return {"": kind_of(field["additionalProperties"])} if isinstance(field.get("additionalProperties"), dict) else None
    return types[0]


wanted = {name.split("-")[0] for name in KINDS}
for name in KINDS:
    schema = json.loads((folder / f"{name}.json").read_text("utf-8"))
    assert schema["additionalProperties"] is False
    fields = {key: kind_of(field) for key, field in schema["properties"].items()}
    kinds[name.split("-")[0]] = {"fields": fields, "required": schema.get("required", [])}
write("kubernetes.json", kinds)
