//! What `deploy` is asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is served, by what and where.
#[derive(Args, Clone, Debug)]
pub(crate) struct Deploy {
    /// An exported model: a Hugging Face folder for vllm; for llama.cpp a .gguf file, or a folder with one.
    pub(crate) model: PathBuf,
    /// The folder to write; it must not be there yet.
    pub(crate) out: PathBuf,
    /// The server.
    #[arg(long, value_enum)]
    pub(crate) target: Server,
    /// Graphics cards of one server, among which the model is split [default: the fewest that hold it].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) gpus: Option<u32>,
    /// Which card: h100, h200, b200, a100, l40s, rtx4090 or rtx3090.
    #[arg(long, value_name = "NAME", default_value = "h100")]
    pub(crate) card: String,
    /// Longest text in tokens, prompt and answer together [default: what the model is made for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) context: Option<u32>,
    /// Texts at a time of a llama.cpp server, each with the whole context.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) parallel: u32,
    /// Name of the model for its users, and of all that is made for it: a-z, 0-9 and - [default: from MODEL].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The image that holds the server, with its tag or digest [default for vllm: vllm/vllm-openai:v0.33.0].
    #[arg(long, value_name = "IMAGE:TAG")]
    pub(crate) base_image: Option<String>,
    /// What the image that is built is called [default: NAME:1].
    #[arg(long, value_name = "IMAGE:TAG")]
    pub(crate) image: Option<String>,
    /// Servers in the cluster.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) replicas: u16,
    /// Who reaches the Kubernetes service: those in the cluster, or others too.
    #[arg(long, value_enum, default_value_t = Exposure::ClusterIp)]
    pub(crate) service: Exposure,
}

/// A program that serves a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// vLLM, for Hugging Face folders: whole or hf-w4a16.
    Vllm,
    /// llama.cpp's llama-server, for GGUF files.
    #[value(name = "llama.cpp")]
    LlamaCpp,
}

/// Type of a Kubernetes service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exposure {
    /// Inside of the cluster alone.
    ClusterIp,
    /// A port of every node.
    NodePort,
    /// An address outside of the cluster.
    LoadBalancer,
}
