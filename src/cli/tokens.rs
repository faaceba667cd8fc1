//! What `data`, `shards` and `tokenizer` are asked for.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Name the documents that a step trains on, in the order of its rows.
    Order {
        /// The run folder.
        run: PathBuf,
        /// The step, as metrics.jsonl counts it: from 1.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        step: u64,
    },
    /// Write the documents of a run as files for other programs: those that stayed, without the lines and passages that they lost,
    /// or with --dropped the others and why.
    Documents {
        /// The run folder.
        run: PathBuf,
        /// The folder to write to, a file for each part.
        out: PathBuf,
        /// What to write.
        #[arg(long, value_name = "FORMAT", default_value = "parquet")]
        format: DocumentFormat,
        /// The documents that filters and deduplication dropped.
        #[arg(long)]
        dropped: bool,
    },
}

/// Formats of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    /// Parquet, compressed with zstd; messages and meta as JSON
    Parquet,
    /// JSON Lines in zstd
    Jsonl,
}

impl DocumentFormat {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl.zst",
        }
    }
}

/// The layouts of other trainers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutName {
    /// Megatron-LM, GPT-NeoX: NAME.bin and NAME.idx
    Megatron,
    /// datatrove, nanotron: NAME.ds, .ds.index, .ds.loss and .ds.metadata
    Datatrove,
    /// OLMo, dolma: NAME.npy without a header, and NAME.csv.gz
    Olmo,
    /// llm.c: NAME.bin with a header of 1024 bytes
    LlmC,
    /// malmoi: NAME.shard, and a manifest.json for all
    Malmoi,
}

/// How tokens lie in a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// As they are.
    None,
    /// In blocks, each a zstd frame.
    Zstd,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShardsCommand {
    /// Write every shard of a run in another trainer's layout, or as a malmoi shard that is compressed otherwise.
    Export {
        /// The run folder.
        run: PathBuf,
        /// The folder to write; files of the same names are replaced.
        folder: PathBuf,
        /// The layout.
        #[arg(long, value_enum, value_name = "LAYOUT")]
        to: LayoutName,
        /// Leave out the end token that every document of a shard has.
        #[arg(long)]
        without_end_tokens: bool,
        /// The tokenizer's name in datatrove's .metadata [default: its fingerprint].
        #[arg(long, value_name = "NAME")]
        tokenizer_name: Option<String>,
        /// How tokens lie in malmoi's own shards [default: none].
        #[arg(long, value_enum, value_name = "COMPRESSION")]
        compression: Option<CompressionName>,
    },
    /// Make a run folder from files that another program tokenized.
    ///
    /// A recipe does the same with `[[imports]]`; this writes the recipe too.
    Import {
        /// Files: NAME.bin (with NAME.idx: Megatron, else llm.c), NAME.ds, NAME.npy, NAME.shard.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The run folder to make.
        folder: PathBuf,
        /// The tokenizer that made the ids.
        #[arg(long, short, value_name = "FILE")]
        tokenizer: PathBuf,
        /// Name of the end token [default: the usual names].
        #[arg(long, value_name = "TOKEN")]
        eos: Option<String>,
        /// The bucket that the documents go into.
        #[arg(long, value_name = "NAME", default_value = "imported")]
        bucket: String,
        /// The layout [default: what the name of each file says].
        #[arg(long, value_enum, value_name = "LAYOUT")]
        from: Option<LayoutName>,
        /// Bytes of a token, for .npy and for .ds without .index and .metadata [default: 2 up to 65,536 ids, else 4].
        #[arg(long, value_name = "2|4", value_parser = clap::value_parser!(u32).range(2..=4))]
        token_bytes: Option<u32>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenizerCommand {
    /// Train a byte-level BPE (the merges and ids of Hugging Face's trainer) or a SentencePiece model.
    ///
    /// All options of a recipe's `[tokenizer] train` can be set, for example
    /// `--set tokenizer.train.pattern=llama3`. A name that ends in .model asks for SentencePiece, whose
    /// options are set by `--set tokenizer.sentencepiece.KEY=VALUE`.
    Train {
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// Where to write the tokenizer.json or SentencePiece .model.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Ids in all [default: 32000].
        #[arg(long, value_name = "N")]
        vocab_size: Option<u32>,
    },
    /// Add tokens to a byte-level BPE such as Qwen's or Llama 3's; its own ids and merges stay.
    ///
    /// Prints what the new tokenizer makes of texts that it was not learnt on.
    Extend {
        /// The tokenizer.json to extend.
        tokenizer: PathBuf,
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// Where to write the new tokenizer.json.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Tokens to add.
        #[arg(long, value_name = "N", default_value_t = 8000)]
        tokens: u32,
        /// Rows of the model's embedding, `vocab_size` in its config.json.
        #[arg(long, value_name = "N")]
        rows: Option<u32>,
        /// Share of the texts, by hash, to measure on and not to learn from.
        #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
        held_out: f64,
    },
    /// Convert between tokenizer formats, where the ids stay the same to the last one.
    ///
    /// Reads a tokenizer.json, tekken.json, .tiktoken, .gguf or SentencePiece .model; writes what the name
    /// of the new file says: .json, .tiktoken or .model.
    Convert {
        /// The file to convert.
        tokenizer: PathBuf,
        /// The file to write.
        out: PathBuf,
        /// How a .tiktoken file's text is split: gpt2, qwen2, llama3, qwen3.5, o200k or tekken [default: known by the number of ranks].
        #[arg(long, value_name = "PATTERN")]
        pattern: Option<String>,
        /// A special token that a .tiktoken file lacks; may be given several times.
        #[arg(long, value_name = "TOKEN=ID")]
        special: Vec<String>,
        /// Name of the end token [default: the usual names].
        #[arg(long, value_name = "TOKEN")]
        eos: Option<String>,
    },
    /// Compare tokenizers on texts: length, fertility, partial characters, lost text, unused ids, Hangul.
    Report {
        /// Texts: [BUCKET=]PATH of a file, folder, glob or run folder.
        #[arg(required = true, value_name = "TEXT")]
        texts: Vec<String>,
        /// A tokenizer.json, SentencePiece model, .tiktoken, tekken.json or .gguf file; may be given several times.
        #[arg(long, short, required = true, value_name = "[NAME=]FILE")]
        tokenizer: Vec<String>,
        /// Also draw characters per token as bars, in this SVG file.
        #[arg(long, value_name = "FILE")]
        chart: Option<PathBuf>,
    },
}
