//! Docker compose: one machine, reached from that machine alone.

use serde_json::{Value, json};

use super::docker::HOME;
use super::plan::{PORT, Plan, USER};

/// The compose file. A `$` in it is a variable of compose.
pub(super) fn file(plan: &Plan) -> Value {
    let Plan { name, image, .. } = plan;
    let key = plan.key();
    let mut server = json!({
        "build": { "context": ".", "dockerfile": "Dockerfile" },
        "image": image,
        "restart": "unless-stopped",
        "init": true,
        "ports": [format!("127.0.0.1:{PORT}:{PORT}")],
        "environment": { key: format!("${{{key}:?set it in .env}}") },
        "volumes": [{ "type": "bind", "source": plan.folder(), "target": plan.folder(), "read_only": true, "bind": { "create_host_path": false } }],
        "shm_size": format!("{}gb", plan.shared_gib()),
        "read_only": true,
        // What servers compile is run from there.
        "tmpfs": [
            format!("{HOME}:exec,uid={USER},gid={USER},mode=0700,size=20g"),
            "/tmp:exec,mode=1777,size=20g".to_owned(),
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "2m",
    });
    if plan.gpus > 0 {
        let devices = json!([{ "driver": "nvidia", "count": plan.gpus, "capabilities": ["gpu"] }]);
        server["deploy"] = json!({ "resources": { "reservations": { "devices": devices } } });
    }
    json!({ "name": name, "services": { "server": server } })
}
