//! Files of `deploy`: what servers, Kubernetes and compose know of them, values of the model's own, and hostile names.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

use crate::corpus::Corpus;
use crate::malmoi::{call, done, files};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A made-up model: 2 heads, 1 of keys, tied, in 32-bit floats.
fn model() -> String {
    data("eval/model").display().to_string()
}

fn known(name: &str) -> Value {
    serde_json::from_slice(&fs::read(data("deploy").join(name)).unwrap()).unwrap()
}

fn read(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Hash(table) => table.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value))).collect(),
        Yaml::Array(list) => list.iter().map(read).collect(),
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Real(number) => json!(number.parse::<f64>().unwrap()),
        Yaml::Boolean(flag) => json!(flag),
        other => panic!("{other:?}"),
    }
}

fn documents(path: &Path) -> Vec<Value> {
    YamlLoader::load_from_str(&fs::read_to_string(path).unwrap()).unwrap().iter().map(read).collect()
}

/// What `deploy` writes into `out`.
struct Deployed {
    folder: TempDir,
}

impl Deployed {
    fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        done(folder.path(), &[&["deploy"], arguments].concat());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn one(&self, name: &str) -> Value {
        documents(&self.path(name)).remove(0)
    }

    /// The Kubernetes object of this kind.
    fn object(&self, kind: &str) -> Value {
        documents(&self.path("kubernetes.yaml")).into_iter().find(|object| object["kind"] == kind).unwrap()
    }

    fn pod(&self) -> Value {
        self.object("Deployment")["spec"]["template"]["spec"].clone()
    }

    /// Cards as each file has them.
    fn cards(&self) -> Vec<Value> {
        let resources = &self.pod()["containers"][0]["resources"];
        let of = |side: &str| json!(resources[side]["nvidia.com/gpu"].as_str().unwrap().parse::<u64>().unwrap());
        let unit = self.text("server.service");
        let visible = unit.split("CUDA_VISIBLE_DEVICES=").nth(1).unwrap().lines().next().unwrap().split(',').count();
        let compose = self.one("compose.yaml")["services"]["server"]["deploy"]["resources"]["reservations"]["devices"][0]["count"].clone();
        vec![of("requests"), of("limits"), compose, json!(visible)]
    }
}

/// Whether a value is one of this kind of object of Kubernetes' schema, or of this JSON type.
fn check(value: &Value, kind: &Value, schema: &Value, place: &str) {
    let is = |right: bool| assert!(right, "{place}: {value} is no {kind}");
    match kind {
        Value::Array(inner) => {
            value.as_array().unwrap_or_else(|| panic!("{place}: {value}")).iter().for_each(|item| check(item, &inner[0], schema, place))
        }
        Value::Object(inner) => {
            value.as_object().unwrap().iter().for_each(|(key, item)| check(item, &inner[""], schema, &format!("{place}.{key}")))
        }
        Value::String(name) => match name.as_str() {
            "string" | "quantity" => is(value.is_string()),
            "integer" => is(value.is_i64()),
            "boolean" => is(value.is_boolean()),
            "int-or-string" => is(value.is_i64() || value.is_string()),
            name => {
                let kind = &schema[name.to_lowercase()];
                for (key, field) in value.as_object().unwrap_or_else(|| panic!("{place}: {value}")) {
                    assert!(kind["fields"].as_object().unwrap().contains_key(key), "{place}: no {key} in {name}");
                    check(field, &kind["fields"][key], schema, &format!("{place}.{key}"));
                }
                let required = kind["required"].as_array().unwrap();
                required.iter().for_each(|key| assert!(value.get(key.as_str().unwrap()).is_some(), "{place}: {key} is missing"));
            }
        },
        _ => panic!("{place}: of a kind that is not in the schema"),
    }
}

#[test]
fn vllm_gets_arguments_that_it_has_and_values_of_the_model() {
    let deployed = Deployed::new(&[&model(), "out", "--target", "vllm", "--gpus", "2"]);
    let known = known("vllm.json");
    let names: Vec<&str> = known["arguments"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let config = deployed.one("vllm.yaml");
    config.as_object().unwrap().keys().for_each(|key| assert!(names.contains(&key.as_str()), "{key}"));
    let model: Value = serde_json::from_slice(&fs::read(data("eval/model/config.json")).unwrap()).unwrap();
    assert_eq!(config["max-model-len"], model["max_position_embeddings"]);
    assert_eq!((&config["dtype"], &config["tensor-parallel-size"]), (&json!("bfloat16"), &json!(2)));
    assert_eq!((&config["model"], &config["served-model-name"]), (&json!("/srv/models/model"), &json!("model")));
    assert!(config.get("quantization").is_none());
    // One number of cards, wherever it stands.
    assert_eq!(deployed.cards(), vec![json!(2); 4]);
    let started = deployed.text("serve");
    assert!(started.contains("exec vllm serve --config /etc/model/vllm.yaml --host 0.0.0.0 --port 8000\n"), "{started}");
    for word in started.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
        assert!(word == "config" || names.contains(&word), "{word}");
    }
    // The configuration that is read is the one that is there.
    assert!(deployed.text("Dockerfile").contains("COPY --chmod=0444 vllm.yaml /etc/model/vllm.yaml\n"));
}

#[test]
fn four_bits_are_named_as_vllm_names_them_and_nf4_is_refused() {
    let corpus = Corpus::new();
    done(corpus.path(), &["run", "recipe.toml"]);
    for format in ["hf-w4a16", "hf-nf4"] {
        done(corpus.path(), &["export", "out/run", format, "--format", format]);
    }
    done(corpus.path(), &["deploy", "hf-w4a16", "out/four", "--target", "vllm"]);
    let config = documents(&corpus.path().join("out/four/vllm.yaml")).remove(0);
    assert!(known("vllm.json")["quantizations"].as_array().unwrap().contains(&config["quantization"]));
    assert_eq!((&config["quantization"], &config["dtype"]), (&json!("compressed-tensors"), &json!("bfloat16")));
    assert!(!known("vllm.json")["quantizations"].as_array().unwrap().contains(&json!("bitsandbytes")));
    let refused = call(corpus.path(), &["deploy", "hf-nf4", "out/nf4", "--target", "vllm"]);
    assert!(refused.code == 2 && refused.stderr.contains("does not read") && refused.stderr.contains("hf-w4a16"), "{}", refused.stderr);
    assert!(!corpus.path().join("out/nf4").exists());
    // Groups of numbers that share a scale are not cut.
    let cut = call(corpus.path(), &["deploy", "hf-w4a16", "out/cut", "--target", "vllm", "--gpus", "2"]);
    assert!(cut.code == 2 && cut.stderr.contains("whole groups of 32 numbers"), "{}", cut.stderr);
    let run = call(corpus.path(), &["deploy", "out/run", "out/cut", "--target", "vllm"]);
    assert!(run.code == 2 && run.stderr.contains("`malmoi export` makes a model of it"), "{}", run.stderr);

    // Both open again, as what their codes stand for: what they say is about what the model says.
    let next = |model: &str| done(corpus.path(), &["generate", model, "옛날에", "--tokens", "1", "--temperature", "0", "--json"]).stdout;
    let log_prob = |text: &str| serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["log-probs"][0].as_f64().unwrap();
    let whole = log_prob(&next("out/run"));
    for format in ["hf-w4a16", "hf-nf4"] {
        assert!((log_prob(&next(format)) - whole).abs() < 0.5, "{format}");
    }
}

#[test]
fn kubernetes_objects_are_of_its_schema() {
    for arguments in [&["--gpus", "2"][..], &["--replicas", "3", "--service", "load-balancer"][..]] {
        let deployed = Deployed::new(&[&[&model() as &str, "out", "--target", "vllm"], arguments].concat());
        let objects = documents(&deployed.path("kubernetes.yaml"));
        let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["PersistentVolumeClaim", "Deployment", "Service"]);
        for object in &objects {
            check(object, &object["kind"], &known("kubernetes.json"), object["kind"].as_str().unwrap());
        }
        // What refers to another is there.
        let (deployment, pod, service) = (deployed.object("Deployment"), deployed.pod(), deployed.object("Service"));
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        for selector in [&deployment["spec"]["selector"]["matchLabels"], &service["spec"]["selector"]] {
            selector.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&labels[key], value));
        }
        let claim = &deployed.object("PersistentVolumeClaim")["metadata"]["name"];
        assert_eq!(&pod["volumes"][0]["persistentVolumeClaim"]["claimName"], claim);
        // The volume is filled before the servers start: what the selector of the README selects is the claim alone.
        let readme = deployed.text("README.md");
        let selector = readme.split("--selector ").nth(1).unwrap().lines().next().unwrap().split_once('=').unwrap();
        let selected = objects.iter().filter(|object| object["metadata"]["labels"][selector.0] == selector.1);
        assert_eq!(selected.map(|object| &object["kind"]).collect::<Vec<_>>(), ["PersistentVolumeClaim"]);
        let copier: Value = serde_json::from_str(readme.split("--overrides='").nth(1).unwrap().split('\'').next().unwrap()).unwrap();
        check(&copier["spec"], &json!("PodSpec"), &known("kubernetes.json"), "the pod that copies");
        assert_eq!(&copier["spec"]["volumes"][0]["persistentVolumeClaim"], &json!({ "claimName": claim }));
        let steps = ["--selector", "kubectl cp", "kubectl delete pod", "kubectl rollout", "kubectl port-forward service/model 8000:80"];
        let places = steps.map(|step| readme.find(step).unwrap_or_else(|| panic!("no {step}: {readme}")));
        assert!(places.is_sorted(), "{readme}");
        let server = &pod["containers"][0];
        let names = |list: &Value| list.as_array().unwrap().iter().map(|item| item["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&server["volumeMounts"]), names(&pod["volumes"]));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], server["ports"][0]["name"]);
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(server[probe]["httpGet"], json!({ "path": "/health", "port": "http" }));
        }
        // Shared memory is memory, and the model is only read.
        assert!(pod["volumes"].as_array().unwrap().iter().any(|volume| volume["emptyDir"]["medium"] == "Memory"));
        assert!(server["volumeMounts"].as_array().unwrap().iter().any(|mount| mount["mountPath"] == "/dev/shm"));
        assert_eq!(server["volumeMounts"][0]["readOnly"], true);
        // No key in a file, none without a key, and nobody is root.
        let key = &server["env"][0];
        let secret = json!({ "secretKeyRef": { "name": "model-api-key", "key": "api-key", "optional": false } });
        assert_eq!((&key["name"], &key["valueFrom"]), (&json!("VLLM_API_KEY"), &secret));
        assert_eq!(
            (&pod["securityContext"]["runAsNonRoot"], &server["securityContext"]["allowPrivilegeEscalation"]),
            (&json!(true), &json!(false))
        );
        let (kind, access) = if arguments.len() == 2 { ("ClusterIP", "ReadWriteOnce") } else { ("LoadBalancer", "ReadWriteMany") };
        assert_eq!(service["spec"]["type"], kind);
        assert_eq!(deployed.object("PersistentVolumeClaim")["spec"]["accessModes"][0], access);
    }
}

/// The rules of hadolint that such a file can break, DL and SC numbers of theirs.
#[test]
fn images_are_pinned_and_run_as_a_user() {
    let deployed = Deployed::new(&[&model(), "out", "--target", "vllm"]);
    let text = deployed.text("Dockerfile").replace("\\\n", " ");
    let lines: Vec<(&str, &str)> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"))).collect();
    let known = ["FROM", "USER", "RUN", "COPY", "ENV", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"];
    lines.iter().for_each(|(instruction, _)| assert!(known.contains(instruction), "{instruction}"));
    let all = |name: &str| lines.iter().filter(|(instruction, _)| *instruction == name).map(|(_, rest)| *rest).collect::<Vec<_>>();
    assert_eq!((lines[0], all("FROM").len()), (("FROM", "vllm/vllm-openai:v0.33.0"), 1)); // DL3006, DL3007
    assert_eq!(all("USER").last(), Some(&"10001:10001")); // DL3002
    assert!(all("WORKDIR").iter().all(|folder| folder.starts_with('/'))); // DL3000
    assert_eq!((all("ENTRYPOINT").len(), all("HEALTHCHECK").len()), (1, 1)); // DL4004, DL3012
    serde_json::from_str::<Vec<String>>(all("ENTRYPOINT")[0]).unwrap(); // DL3025
    serde_json::from_str::<Vec<String>>(all("HEALTHCHECK")[0].split_once("CMD ").unwrap().1).unwrap();
    assert!(!text.contains("sudo ") && !text.contains("ADD ") && !text.contains("apt-get"));
    // Files that are copied are there.
    for copy in all("COPY") {
        let name = copy.split_whitespace().nth(1).unwrap();
        assert!(deployed.path(name).is_file(), "{name}");
    }
    for (option, image) in [
        ("--base-image", "vllm/vllm-openai"),
        ("--base-image", "vllm/vllm-openai:latest"),
        ("--base-image", "localhost:5000/vllm"),
        ("--base-image", "x:1\nRUN curl evil"),
        ("--base-image", "x:1 AS y"),
        ("--base-image", "x@sha256:12"),
        ("--image", "-x:1"),
        ("--image", "$(id):1"),
        ("--image", "x:\"1\""),
        ("--image", ""),
    ] {
        let refused = call(deployed.folder.path(), &["deploy", &model(), "other", "--target", "vllm", &format!("{option}={image}")]);
        assert!(
            refused.code == 2 && refused.stderr.contains(option) && !deployed.folder.path().join("other").exists(),
            "{image}: {}",
            refused.stderr
        );
    }
    let digest = format!("localhost:5000/my/vllm@sha256:{}", "0a".repeat(32));
    let other = Deployed::new(&[&model(), "out", "--target", "vllm", "--base-image", &digest, "--image", "ghcr.io/my-org/model:v1.2_X"]);
    assert!(other.text("Dockerfile").contains(&format!("\nFROM {digest}\n")));
    assert_eq!(other.pod()["containers"][0]["image"], "ghcr.io/my-org/model:v1.2_X");
}

#[test]
fn compose_and_systemd_answer_their_own_machine_and_no_one_without_a_key() {
    let deployed = Deployed::new(&[&model(), "out", "--target", "vllm", "--name", "ko-1"]);
    let server = &deployed.one("compose.yaml")["services"]["server"];
    assert_eq!((&server["ports"], &server["read_only"]), (&json!(["127.0.0.1:8000:8000"]), &json!(true)));
    assert_eq!(server["environment"]["VLLM_API_KEY"], "${VLLM_API_KEY:?set it in .env}");
    let unit = deployed.text("server.service");
    assert!(unit.contains("ExecStart=/opt/vllm/bin/vllm serve --config /etc/ko-1/vllm.yaml --host 127.0.0.1 --port 8000\n"), "{unit}");
    assert!(unit.contains("ExecStartPre=/usr/bin/test -n \"${VLLM_API_KEY}\"\n") && unit.contains("\nDynamicUser=yes\n"), "{unit}");
    // Run as a container would: without a key, and with an empty one.
    for key in [None, Some("")] {
        let mut shell = std::process::Command::new("sh");
        shell.arg(deployed.path("serve")).env_remove("VLLM_API_KEY");
        key.map(|key| shell.env("VLLM_API_KEY", key));
        let output = shell.output().unwrap();
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("VLLM_API_KEY: is empty"));
    }
}

#[test]
fn llama_cpp_gets_arguments_that_it_has() {
    let folder = TempDir::new().unwrap();
    done(folder.path(), &["export", &model(), "나의 모델.gguf", "--format", "gguf-q8_0"]);
    let image = "ghcr.io/ggml-org/llama.cpp:server-cuda-b1";
    let arguments = ["deploy", "나의 모델.gguf", "out", "--target", "llama.cpp", "--base-image", image, "--gpus", "2"];
    let nameless = call(folder.path(), &arguments);
    assert!(nameless.code == 2 && nameless.stderr.contains("--name"), "{}", nameless.stderr);
    done(folder.path(), &[&arguments[..], &["--name", "mine", "--parallel", "3", "--context", "100"]].concat());
    let deployed = Deployed { folder };
    let started = deployed.text("serve");
    let known = known("llama-server.json");
    let words: Vec<&str> = started.lines().last().unwrap().split_whitespace().collect();
    let options = words.iter().filter(|word| word.starts_with("--"));
    options.for_each(|word| assert!(known["arguments"].as_array().unwrap().contains(&json!(word)), "{word}"));
    let value = |option: &str| words[words.iter().position(|word| *word == option).unwrap() + 1];
    assert_eq!((value("--ctx-size"), value("--parallel"), value("--n-gpu-layers")), ("300", "3", "all"));
    assert_eq!((value("--model"), value("--alias")), ("/srv/models/mine/model.gguf", "mine"));
    // The file's own types are what is computed with: no type is claimed for all numbers.
    let readme = deployed.text("README.md");
    assert!(readme.contains("- keys and values: f16\n") && !readme.contains("- numbers: "), "{readme}");
    assert_eq!(deployed.cards(), vec![json!(2); 4]);
    assert_eq!(deployed.pod()["containers"][0]["env"][0]["name"], "LLAMA_API_KEY");
    assert!(readme.contains("kubectl cp MODEL.gguf mine-copy:/srv/models/mine/model.gguf\n"), "{readme}");
    for object in documents(&deployed.path("kubernetes.yaml")) {
        check(&object, &object["kind"], &self::known("kubernetes.json"), "llama.cpp");
    }
    // Without cards, none are asked for.
    let folder = &deployed.folder.path();
    done(folder, &["deploy", "나의 모델.gguf", "cpu", "--target", "llama.cpp", "--base-image", image, "--gpus", "0", "--name", "mine"]);
    let texts = files(&folder.join("cpu"), &|_| true);
    assert!(texts.values().all(|text| !String::from_utf8_lossy(text).contains("nvidia.com/gpu")));
    let missing = call(folder, &["deploy", "나의 모델.gguf", "x", "--target", "llama.cpp", "--name", "mine"]);
    assert!(missing.stderr.contains("--base-image is missing") && missing.stderr.contains("server-cuda-bNNNN"), "{}", missing.stderr);
    for (source, target, message) in [("나의 모델.gguf", "vllm", "is for llama.cpp"), (&model() as &str, "llama.cpp", "has no GGUF file")]
    {
        let refused = call(folder, &["deploy", source, "x", "--target", target, "--base-image", image]);
        assert!(refused.code == 2 && refused.stderr.contains(message), "{}", refused.stderr);
    }
}

#[test]
fn what_cards_do_not_hold_or_divide_is_said() {
    let folder = TempDir::new().unwrap();
    let refused = |arguments: &[&str]| {
        let outcome = call(folder.path(), &[&["deploy", &model() as &str, "out", "--target", "vllm"], arguments].concat());
        assert_eq!((outcome.code, folder.path().join("out").exists()), (2, false), "{arguments:?}");
        outcome.stderr
    };
    let heads = refused(&["--gpus", "3"]);
    assert!(heads.contains("3 does not divide the model's") && heads.contains("possible are 1, 2"), "{heads}");
    assert!(refused(&["--gpus", "0"]).contains("compute on cards"));
    assert!(refused(&["--card", "h900"]).contains("cards are h100"));
    assert!(refused(&["--context", "999999"]).contains("the model is made for"));
    assert!(refused(&["--parallel", "2"]).contains("--parallel is for llama.cpp"));
    for name in ["", "Model", "-a", "a-", "1a", "a b", "a\nb", "a\"", "a'b", "a: b", "a$b", &"a".repeat(41)] {
        assert!(refused(&[&format!("--name={name}")]).contains("is no name for a service"), "{name}");
    }
    // A shape that is too large for its cards: only headers are read, so the file need not be there.
    let large = folder.path().join("large");
    fs::create_dir(&large).unwrap();
    let mut config: Value = serde_json::from_slice(&fs::read(data("eval/model/config.json")).unwrap()).unwrap();
    config["max_position_embeddings"] = json!(1u64 << 31);
    for entry in fs::read_dir(data("eval/model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, large.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(large.join("config.json"), config.to_string()).unwrap();
    let outcome = call(folder.path(), &["deploy", "large", "out", "--target", "vllm", "--gpus", "1", "--card", "rtx4090"]);
    let longest =
        outcome.stderr.split("--context ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{}", outcome.stderr));
    done(folder.path(), &["deploy", "large", "out", "--target", "vllm", "--gpus", "1", "--card", "rtx4090", "--context", longest]);
}

#[test]
fn a_hostile_folder_says_nothing_in_files() {
    let folder = TempDir::new().unwrap();
    let hostile = "x\"; kind: Secret\n# $(reboot) '%n' 한";
    fs::create_dir(folder.path().join(hostile)).unwrap();
    for entry in fs::read_dir(data("eval/model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(hostile).join(path.file_name().unwrap())).unwrap();
    }
    done(folder.path(), &["deploy", hostile, "out", "--target", "vllm"]);
    for (name, text) in files(&folder.path().join("out"), &|_| true) {
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("x-kind-secret-reboot-n") && !text.contains("kind: Secret") && !text.contains("$(reboot)"), "{name}: {text}");
    }
    // What is there already stays.
    let again = call(folder.path(), &["deploy", hostile, "out", "--target", "vllm"]);
    assert!(again.code == 2 && again.stderr.contains("is there already"), "{}", again.stderr);
    let run = call(folder.path(), &["deploy", "nowhere", "other", "--target", "vllm"]);
    assert!(run.code == 2 && run.stderr.contains("nowhere"), "{}", run.stderr);
}
