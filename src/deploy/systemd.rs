//! A systemd unit: the server without containers, reached from its machine alone.

use super::plan::Plan;
use crate::cli::Server;

/// The unit. What could be taken for a variable or a specifier of systemd is not in names.
pub(super) fn unit(plan: &Plan) -> String {
    let name = &plan.name;
    let key = plan.key();
    let cards: Vec<String> = (0..plan.gpus).map(|card| card.to_string()).collect();
    let (title, program, settings) = match plan.target {
        Server::Vllm => ("vLLM", "/opt/vllm/bin/vllm", "Environment=HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1\n"),
        Server::LlamaCpp => ("llama.cpp", "/opt/llama.cpp/llama-server", ""),
    };
    let arguments = plan.arguments("127.0.0.1").join(" ");
    format!(
        "[Unit]\n\
         Description={name}, served by {title}\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         StartLimitIntervalSec=600\n\
         StartLimitBurst=5\n\
         \n\
         [Service]\n\
         Type=exec\n\
         DynamicUser=yes\n\
         CacheDirectory={name}\n\
         Environment=HOME=/var/cache/{name} CUDA_VISIBLE_DEVICES={cards}\n\
         {settings}\
         # One line, {key}=…, readable by root alone; without a key the server would answer everyone.\n\
         EnvironmentFile=/etc/{name}/api-key.env\n\
         ExecStartPre=/usr/bin/test -n \"${{{key}}}\"\n\
         ExecStart={program} {arguments}\n\
         Restart=on-failure\n\
         RestartSec=10\n\
         TimeoutStopSec=120\n\
         ReadOnlyPaths={folder}\n\
         NoNewPrivileges=yes\n\
         CapabilityBoundingSet=\n\
         ProtectSystem=strict\n\
         ProtectHome=yes\n\
         PrivateTmp=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectControlGroups=yes\n\
         RestrictSUIDSGID=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n\
         LockPersonality=yes\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        cards = cards.join(","),
        folder = plan.folder(),
    )
}
