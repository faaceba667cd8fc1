//! The commands that bring the files to work.

use std::fmt::Write as _;

use super::plan::{PORT, Plan};
use super::{kubernetes, llama, vllm};
use crate::cli::Server;

/// README.md.
pub(super) fn text(plan: &Plan) -> String {
    let Plan { name, image, .. } = plan;
    let (folder, key) = (plan.folder(), plan.key());
    let mut text = format!("# {name}\n\n");
    for (what, value) in plan.facts() {
        let _ = writeln!(text, "- {what}: {value}");
    }
    let copied = match plan.target {
        Server::Vllm => "the files of the exported folder".to_owned(),
        Server::LlamaCpp => format!("the .gguf file, as `{}`", llama::FILE),
    };
    let config = match plan.target {
        Server::Vllm => format!("\nsudo install -D -m 0644 {file} /etc/{name}/{file}", file = vllm::CONFIG),
        Server::LlamaCpp => String::new(),
    };
    let copier = format!("{name}-copy");
    // A model's own name may be anything; a folder's content goes into a folder that is there.
    let (from, to) = match plan.target {
        Server::Vllm => ("MODEL/.", folder.clone()),
        Server::LlamaCpp => ("MODEL.gguf", format!("{folder}/{}", llama::FILE)),
    };
    let _ = write!(
        text,
        "\nEverywhere the model lies in `{folder}`: copy there {copied}.\n\
         \n## Docker compose\n\n\
         ```sh\n\
         (umask 077 && echo \"{key}=$(openssl rand -hex 32)\" > .env)\n\
         docker compose up --build --detach --wait --wait-timeout {start}\n\
         ```\n\
         \n## Kubernetes\n\n\
         The nodes need NVIDIA's device plugin; push the image to a registry that they reach, under the name of `--image`.\n\
         The volume comes first, then a pod that takes the model ({from}) into it, then the servers:\n\n\
         ```sh\n\
         docker build --tag {image} . && docker push {image}\n\
         kubectl create secret generic {name}-api-key --from-literal=api-key=\"$(openssl rand -hex 32)\"\n\
         kubectl apply --filename kubernetes.yaml --selector {label}={value}\n\
         kubectl run {copier} --image={image} --restart=Never --overrides='{pod}'\n\
         kubectl wait --for=condition=Ready pod/{copier} --timeout=15m\n\
         kubectl cp {from} {copier}:{to}\n\
         kubectl delete pod {copier}\n\
         kubectl apply --filename kubernetes.yaml\n\
         kubectl rollout status deployment/{name} --timeout={start}s\n\
         ```\n\
         \nTo ask it as below, from the machine of `kubectl`:\n\n\
         ```sh\n\
         kubectl port-forward service/{name} {PORT}:80 &\n\
         {key}=\"$(kubectl get secret {name}-api-key --output jsonpath='{{.data.api-key}}' | base64 --decode)\"\n\
         ```\n\
         \n## systemd\n\n\
         ```sh{config}\n\
         (umask 077 && echo \"{key}=$(openssl rand -hex 32)\" > api-key.env)\n\
         sudo install -D -m 0600 api-key.env /etc/{name}/api-key.env && rm api-key.env\n\
         sudo install -m 0644 server.service /etc/systemd/system/{name}.service\n\
         sudo systemctl enable --now {name}\n\
         ```\n\
         \n## Ask it\n\n\
         ```sh\n\
         curl http://127.0.0.1:{PORT}/v1/chat/completions -H \"Authorization: Bearer ${key}\" -H 'Content-Type: application/json' \\\n  \
         -d '{{\"model\": \"{name}\", \"messages\": [{{\"role\": \"user\", \"content\": \"안녕하세요?\"}}]}}'\n\
         ```\n",
        start = plan.start_seconds(),
        label = kubernetes::VOLUME.0,
        value = kubernetes::VOLUME.1,
        pod = kubernetes::copier(plan, &copier),
    );
    text
}
