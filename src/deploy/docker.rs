//! The image: a pinned base, the configuration, and a user who is not root. The model is not in it.

use super::plan::{PORT, Plan, USER};
use super::vllm;
use crate::cli::Server;

/// Home of the server's user: what it compiles and caches goes there.
pub(super) const HOME: &str = "/home/server";

/// The Dockerfile.
pub(super) fn file(plan: &Plan) -> String {
    let Plan { name, base_image, .. } = plan;
    let (settings, copy, health) = match plan.target {
        Server::Vllm => (
            " \\\n    HF_HUB_OFFLINE=1 \\\n    VLLM_NO_USAGE_STATS=1",
            format!("COPY --chmod=0444 {config} /etc/{name}/{config}\n", config = vllm::CONFIG),
            format!(r#"["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PORT}/health', timeout=5)"]"#),
        ),
        Server::LlamaCpp => ("", String::new(), format!(r#"["curl", "--fail", "--silent", "http://127.0.0.1:{PORT}/health"]"#)),
    };
    format!(
        "# Serves {name}, which is mounted at {folder}.\n\
         FROM {base_image}\n\
         USER 0\n\
         RUN groupadd --gid {USER} server && useradd --no-log-init --uid {USER} --gid {USER} --create-home --home-dir {HOME} server\n\
         {copy}COPY --chmod=0555 serve /usr/local/bin/serve\n\
         ENV HOME={HOME}{settings}\n\
         WORKDIR {HOME}\n\
         USER {USER}:{USER}\n\
         EXPOSE {PORT}\n\
         HEALTHCHECK --interval=30s --timeout=10s --start-period={start}s --retries=3 CMD {health}\n\
         ENTRYPOINT [\"/usr/local/bin/serve\"]\n",
        folder = plan.folder(),
        start = plan.start_seconds(),
    )
}

/// What the container runs.
pub(super) fn entry(plan: &Plan) -> String {
    let program = match plan.target {
        Server::Vllm => "vllm",
        Server::LlamaCpp => "/app/llama-server",
    };
    let key = plan.key();
    // No word of them needs quotes: names are labels, all else is numbers.
    let arguments = plan.arguments("0.0.0.0").join(" ");
    format!(
        "#!/bin/sh\n# Without a key the server would answer everyone.\nset -eu\n: \"${{{key}:?is empty}}\"\nexec {program} {arguments}\n"
    )
}
