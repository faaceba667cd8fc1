//! What is decided once, for all files.

use serde::Serialize;
use trainer::{CARDS, Card};

use super::memory::Memory;
use super::subject::Subject;
use super::{llama, vllm};
use crate::cli::{self, Exposure, Server};
use crate::error::{Error, Result};

/// Where models lie on servers and in containers.
pub(super) const MODELS: &str = "/srv/models";
/// Port of the server.
pub(super) const PORT: u16 = 8000;
/// User and group in the container.
pub(super) const USER: u32 = 10_001;
/// Cards that are tried, where none are asked for.
const MOST_CARDS: u32 = 16;
const GIB: u64 = 1 << 30;

/// All that the files say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Plan {
    #[serde(skip)]
    pub(super) target: Server,
    /// A label as Kubernetes wants: it needs no quotes anywhere.
    pub(super) name: String,
    pub(super) base_image: String,
    pub(super) image: String,
    /// Cards of a server, which is what the model is split among; 0: none.
    pub(super) gpus: u32,
    pub(super) card: &'static str,
    /// Longest text in tokens.
    pub(super) context: u32,
    /// Texts at a time, of llama.cpp.
    pub(super) parallel: u32,
    /// Type of the numbers that vLLM computes with; llama.cpp decides for itself, by the types in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dtype: Option<&'static str>,
    pub(super) quantization: Option<&'static str>,
    pub(super) replicas: u16,
    pub(super) service: &'static str,
    /// Bytes of the model's files.
    pub(super) model_bytes: u64,
    pub(super) memory: Memory,
    /// Tokens whose keys and values fit; none without cards.
    pub(super) cache_tokens: Option<u64>,
    #[serde(skip)]
    pub(super) notes: Vec<String>,
}

impl Plan {
    pub(super) fn new(arguments: &cli::Deploy, subject: &Subject) -> Result<Self> {
        let target = arguments.target;
        let name = name(arguments.name.as_deref(), &subject.called)?;
        let card = CARDS.iter().find(|card| card.name == arguments.card).ok_or_else(|| {
            let known: Vec<&str> = CARDS.iter().map(|card| card.name).collect();
            Error::new(format!("`{}` is no known card", arguments.card)).hint(format!("cards are {}", known.join(", ")))
        })?;
        let context = context(arguments.context, subject)?;
        if target == Server::Vllm && arguments.parallel != 1 {
            return Err(Error::new("--parallel is for llama.cpp").hint("vLLM takes as many texts at a time as its cache holds"));
        }
        let mut notes = Vec::new();
        let gpus = cards(arguments, subject, card, context)?;
        let memory = Memory::of(subject, target, gpus);
        let (dtype, quantization) = match target {
            Server::Vllm => {
                let (dtype, quantization) = vllm::numbers(subject, &mut notes)?;
                (Some(dtype), quantization)
            }
            Server::LlamaCpp => (None, None),
        };
        let base_image = match (&arguments.base_image, target) {
            (Some(image), _) => image.clone(),
            (None, Server::Vllm) => vllm::IMAGE.to_owned(),
            (None, Server::LlamaCpp) => {
                return Err(Error::new("--base-image is missing: llama.cpp's images have no version that malmoi could name for you")
                    .hint(format!("give a tag that is there, as ghcr.io/ggml-org/llama.cpp:{}-bNNNN", llama::flavour(gpus))));
            }
        };
        let image = arguments.image.clone().unwrap_or_else(|| format!("{name}:1"));
        check_image("--base-image", &base_image)?;
        check_image("--image", &image)?;
        let service = match arguments.service {
            Exposure::ClusterIp => "ClusterIP",
            Exposure::NodePort => "NodePort",
            Exposure::LoadBalancer => "LoadBalancer",
        };
        if arguments.service != Exposure::ClusterIp {
            notes.push(format!("the service is of type {service}: others reach it, over plain HTTP, with the key alone"));
        }
        Ok(Self {
            target,
            name,
            base_image,
            image,
            gpus,
            card: card.name,
            context,
            parallel: arguments.parallel,
            dtype,
            quantization,
            replicas: arguments.replicas,
            service,
            model_bytes: subject.copied,
            memory,
            cache_tokens: (gpus > 0).then(|| memory.tokens(card.memory)),
            notes,
        })
    }

    /// Where the model lies.
    pub(super) fn folder(&self) -> String {
        format!("{MODELS}/{}", self.name)
    }

    /// The variable that the server takes its key from.
    pub(super) fn key(&self) -> &'static str {
        match self.target {
            Server::Vllm => "VLLM_API_KEY",
            Server::LlamaCpp => "LLAMA_API_KEY",
        }
    }

    /// What starts the server, less its program: all that follows listens to `host`.
    pub(super) fn arguments(&self, host: &str) -> Vec<String> {
        let mut all = match self.target {
            Server::Vllm => vllm::arguments(self),
            Server::LlamaCpp => llama::arguments(self),
        };
        all.extend(["--host".to_owned(), host.to_owned(), "--port".to_owned(), PORT.to_string()]);
        all
    }

    /// Shared memory, through which the processes of a server talk, in GiB.
    pub(super) fn shared_gib(&self) -> u64 {
        2 + u64::from(self.gpus)
    }

    /// Memory of the machine, in GiB: the model passes through it, or stays there without cards.
    pub(super) fn host_gib(&self) -> u64 {
        let cache = if self.gpus == 0 { self.cache_bytes() } else { 0 };
        (self.model_bytes * 5 / 4 + cache).div_ceil(GIB) + self.shared_gib() + 8
    }

    /// Room for the model's files, in GiB.
    pub(super) fn disk_gib(&self) -> u64 {
        (self.model_bytes * 11 / 10).div_ceil(GIB).max(1)
    }

    /// Seconds until a server has read its model, at most: at 50 MB/s, and ten minutes for compiling.
    pub(super) fn start_seconds(&self) -> u64 {
        600 + self.model_bytes / 50_000_000
    }

    fn cache_bytes(&self) -> u64 {
        self.memory.per_token * u64::from(self.context) * u64::from(self.parallel)
    }

    /// What was decided, for people.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB as f64);
        let mut facts = vec![
            ("name", self.name.clone()),
            ("longest text", format!("{} tokens", self.context)),
            ("cards", if self.gpus == 0 { "none".to_owned() } else { format!("{} × {}", self.gpus, self.card) }),
            ("weights", format!("{} on each", gib(self.memory.weights))),
            ("working memory", format!("about {} on each", gib(self.memory.working))),
        ];
        if let Some(tokens) = self.cache_tokens {
            let texts = tokens / u64::from(self.context);
            facts.push(("cache", format!("{tokens} tokens fit, {texts} texts of full length at a time")));
        }
        facts.push(match self.dtype {
            Some(dtype) => ("numbers", self.quantization.map_or(dtype.to_owned(), |method| format!("{method}, {dtype}"))),
            // The default of llama-server, with which the memory was counted.
            None => ("keys and values", "f16".to_owned()),
        });
        facts
    }
}

/// A label of Kubernetes: no name can break out of a file.
fn name(given: Option<&str>, called: &str) -> Result<String> {
    const MOST: usize = 40;
    let valid = |name: &str| {
        let (first, last) = (name.chars().next(), name.chars().next_back());
        name.len() <= MOST
            && first.is_some_and(|first| first.is_ascii_lowercase())
            && last.is_some_and(|last| last != '-')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let name = match given {
        Some(name) => name.to_owned(),
        None => {
            let words = called.to_lowercase();
            let words: Vec<&str> =
                words.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
            let slug: String = words.join("-").chars().take(MOST).collect();
            slug.trim_matches('-').to_owned()
        }
    };
    if valid(&name) {
        return Ok(name);
    }
    Err(Error::new(format!("{name:?} is no name for a service"))
        .hint(format!("give one with --name: at most {MOST} of a-z, 0-9 and -, a letter first, no - last")))
}

fn context(wanted: Option<u32>, subject: &Subject) -> Result<u32> {
    match (wanted, subject.context) {
        (Some(wanted), Some(most)) if wanted > most => {
            Err(Error::new(format!("--context {wanted}, but the model is made for {most} tokens"))
                .hint(format!("--context {most}, or leave it out")))
        }
        (Some(wanted), _) => Ok(wanted),
        (None, Some(most)) => Ok(most),
        (None, None) => Err(Error::new("the model does not say how long a text it is made for").hint("say it with --context N")),
    }
}

/// How many cards; checks that they can hold the model.
fn cards(arguments: &cli::Deploy, subject: &Subject, card: &Card, context: u32) -> Result<u32> {
    let splits = |cards: u32| match arguments.target {
        Server::Vllm => vllm::splits(subject, cards),
        Server::LlamaCpp => llama::splits(subject, cards),
    };
    let tokens = u64::from(context) * u64::from(arguments.parallel);
    let room = |cards: u32| Memory::of(subject, arguments.target, cards).tokens(card.memory);
    let Some(cards) = arguments.gpus else {
        return (1..=MOST_CARDS).find(|&cards| splits(cards).is_ok() && room(cards) >= tokens).ok_or_else(|| {
            Error::new(format!("no number of {} cards up to {MOST_CARDS} holds the model and {tokens} tokens of its cache", card.name))
                .hint("take another --card, or a shorter --context")
        });
    };
    if cards == 0 && arguments.target == Server::LlamaCpp {
        return Ok(0);
    }
    if let Err(why) = splits(cards) {
        let possible: Vec<String> = (1..=MOST_CARDS).filter(|&cards| splits(cards).is_ok()).map(|cards| cards.to_string()).collect();
        return Err(Error::new(format!("--gpus {cards}: {why}")).hint(format!("possible are {}", possible.join(", "))));
    }
    let fits = room(cards);
    if fits >= tokens {
        return Ok(cards);
    }
    let memory = Memory::of(subject, arguments.target, cards);
    let gb = |bytes: u64| bytes as f64 / 1e9;
    let detail = format!(
        "{cards} × {} do not hold it: of {:.1} GB on each, weights take {:.1}, computing about {:.1}, and the cache of {tokens} tokens {:.1}",
        card.name,
        gb(card.memory),
        gb(memory.weights),
        gb(memory.working),
        gb(memory.per_token * tokens),
    );
    let shorter = fits / u64::from(arguments.parallel);
    Err(Error::new(detail).hint(match shorter {
        0 => "take more --gpus, another --card, or a model in four bits".to_owned(),
        most => format!("--context {most} fits; or take more --gpus or another --card"),
    }))
}

/// A name of an image with a tag or a digest, so that it stays what it is.
fn check_image(option: &str, image: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::new(format!("{option} {image:?} {why}")).hint("as registry/name:v1.2.3, or name@sha256:…"));
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    // A colon before the last slash is that of a port.
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name[last..].split_once(':') {
        Some((end, tag)) => (format!("{}{end}", &name[..last]), Some(tag)),
        None => (name.to_owned(), None),
    };
    let word = |text: &str, more: &str| {
        text.chars().next().is_some_and(|first| first.is_ascii_alphanumeric() || (first == '_' && more.contains('A')))
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c) || (more.contains('A') && c.is_ascii_uppercase()))
    };
    if image.len() > 400 || !path.split('/').all(|part| word(part, "._-:")) {
        return refuse("is no name of an image");
    }
    match (tag, digest) {
        (None, None) => refuse("has neither a tag nor a digest: it would be another image tomorrow"),
        (Some("latest"), None) => refuse("is another image tomorrow"),
        (Some(tag), _) if !word(tag, "._-A") || tag.len() > 128 => refuse("has no tag of letters, digits, `.`, `_` and `-`"),
        (_, Some(digest))
            if !digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())) =>
        {
            refuse("has no digest as sha256: and 64 digits")
        }
        _ => Ok(()),
    }
}
