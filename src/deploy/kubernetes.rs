//! Kubernetes: a volume for the model, servers, and a service that the cluster alone reaches unless others are asked in.

use serde_json::{Value, json};

use super::docker::HOME;
use super::plan::{PORT, Plan, USER};

/// What selects the volume alone, which is made and filled before the servers start.
pub(super) const VOLUME: (&str, &str) = ("app.kubernetes.io/component", "model");
/// Seconds between two probes.
const PERIOD: u64 = 10;

/// The objects, in the order in which they are made.
pub(super) fn manifests(plan: &Plan) -> Vec<Value> {
    vec![volume(plan), deployment(plan), service(plan)]
}

fn labels(plan: &Plan) -> Value {
    json!({ "app.kubernetes.io/name": plan.name, "app.kubernetes.io/managed-by": "malmoi" })
}

fn selector(plan: &Plan) -> Value {
    json!({ "app.kubernetes.io/name": plan.name })
}

/// Name of the volume's claim.
pub(super) fn claim(plan: &Plan) -> String {
    format!("{}-model", plan.name)
}

/// What `kubectl run --overrides` takes: a pod that waits, with the volume at the place of the model. It asks for the
/// cards of a server, so that a volume of one node or zone is made where the servers can run.
pub(super) fn copier(plan: &Plan, name: &str) -> Value {
    let mut container = json!({
        "name": name,
        "image": plan.image,
        "command": ["sleep", "infinity"],
        "volumeMounts": [{ "name": "model", "mountPath": plan.folder() }],
    });
    if plan.gpus > 0 {
        container["resources"] = json!({ "limits": { "nvidia.com/gpu": plan.gpus.to_string() } });
    }
    json!({ "apiVersion": "v1", "spec": {
        "automountServiceAccountToken": false,
        "securityContext": { "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER },
        "containers": [container],
        "volumes": [{ "name": "model", "persistentVolumeClaim": { "claimName": claim(plan) } }],
    } })
}

fn volume(plan: &Plan) -> Value {
    // Several servers may run on several nodes.
    let access = if plan.replicas > 1 { "ReadWriteMany" } else { "ReadWriteOnce" };
    let mut labels = labels(plan);
    labels[VOLUME.0] = json!(VOLUME.1);
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": claim(plan), "labels": labels },
        "spec": { "accessModes": [access], "resources": { "requests": { "storage": format!("{}Gi", plan.disk_gib()) } } },
    })
}

fn deployment(plan: &Plan) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": plan.name, "labels": labels(plan) },
        "spec": {
            "replicas": plan.replicas,
            // Cards are rarely there twice: the old server goes before the new one comes.
            "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": selector(plan) },
            "template": { "metadata": { "labels": labels(plan) }, "spec": pod(plan) },
        },
    })
}

fn pod(plan: &Plan) -> Value {
    let shared = format!("{}Gi", plan.shared_gib());
    json!({
        "automountServiceAccountToken": false,
        // Variables of a service would be taken for the server's own settings.
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 120,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container(plan)],
        "volumes": [
            { "name": "model", "persistentVolumeClaim": { "claimName": claim(plan), "readOnly": true } },
            { "name": "shared-memory", "emptyDir": { "medium": "Memory", "sizeLimit": shared } },
            { "name": "home", "emptyDir": { "sizeLimit": "20Gi" } },
            { "name": "temporary", "emptyDir": { "sizeLimit": "20Gi" } },
        ],
    })
}

fn container(plan: &Plan) -> Value {
    let memory = format!("{}Gi", plan.host_gib());
    let mut requests = json!({ "cpu": (2 + 2 * plan.gpus).to_string(), "memory": memory });
    let mut limits = json!({ "memory": memory });
    if plan.gpus > 0 {
        for side in [&mut requests, &mut limits] {
            side["nvidia.com/gpu"] = json!(plan.gpus.to_string());
        }
    }
    let secret = json!({ "name": format!("{}-api-key", plan.name), "key": "api-key", "optional": false });
    json!({
        "name": "server",
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{ "name": "http", "containerPort": PORT, "protocol": "TCP" }],
        "env": [{ "name": plan.key(), "valueFrom": { "secretKeyRef": secret } }],
        "resources": { "requests": requests, "limits": limits },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        // The first lets a large model load; until then the others do not ask.
        "startupProbe": probe(plan.start_seconds().div_ceil(PERIOD)),
        "readinessProbe": probe(3),
        "livenessProbe": probe(6),
        "volumeMounts": [
            { "name": "model", "mountPath": plan.folder(), "readOnly": true },
            { "name": "shared-memory", "mountPath": "/dev/shm" },
            { "name": "home", "mountPath": HOME },
            { "name": "temporary", "mountPath": "/tmp" },
        ],
    })
}

/// Whether the server answers; this many failures one after the other mean that it does not.
fn probe(failures: u64) -> Value {
    json!({
        "httpGet": { "path": "/health", "port": "http" },
        "periodSeconds": PERIOD,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

fn service(plan: &Plan) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": plan.name, "labels": labels(plan) },
        "spec": {
            "type": plan.service,
            "selector": selector(plan),
            "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }],
        },
    })
}
