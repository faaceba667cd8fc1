//! The tasks that can be evaluated: what files they want and what is measured of them.

use std::fmt;
use std::str::FromStr;

use super::statistics::Statistic;
use crate::error::{Error, Result};

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Kmmlu,
    Click,
    Ifeval,
    Kite,
    Korquad,
    KlueNli,
    KlueSts,
    Hrm8k,
    Arithmetic,
}

/// Form of KMMLU's questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KmmluPrompt {
    /// lm-eval's.
    #[default]
    Default,
    /// The guide's.
    Seed,
}

/// How sets are read and asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// Choices are answered by a text, not by log-likelihoods.
    pub(super) generate: bool,
    /// Most tokens of a text; the task's own number where none is given.
    pub(super) tokens: Option<u32>,
    /// Questions of each subject, at most.
    pub(super) limit: Option<usize>,
    pub(super) kmmlu_prompt: KmmluPrompt,
    /// The files' part for examples is wanted, where the set has one.
    pub(super) examples: bool,
}

impl Task {
    pub(super) const ALL: [Self; 9] =
        [Self::Kmmlu, Self::Click, Self::Ifeval, Self::Kite, Self::Korquad, Self::KlueNli, Self::KlueSts, Self::Hrm8k, Self::Arithmetic];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kmmlu => "kmmlu",
            Self::Click => "click",
            Self::Ifeval => "ifeval",
            Self::Kite => "kite",
            Self::Korquad => "korquad",
            Self::KlueNli => "klue-nli",
            Self::KlueSts => "klue-sts",
            Self::Hrm8k => "hrm8k",
            Self::Arithmetic => "arithmetic",
        }
    }

    /// The files that the task wants, for messages.
    pub(super) fn schema(self) -> &'static str {
        match self {
            Self::Kmmlu => {
                "SUBJECT-test.csv with the columns question, answer (1 to 4), A, B, C, D, Category, or a folder of them; \
                 SUBJECT-dev.csv beside them for --shots"
            }
            Self::Click => "JSON lists of { id, paragraph, question, choices, answer }, or a folder of them by category",
            Self::Ifeval | Self::Kite => "JSON lines of { prompt or instruction, instruction_id_list, kwargs }",
            Self::Korquad => "SQuAD's JSON: { data: [{ title, paragraphs: [{ context, qas: [{ id, question, answers: [{ text }] }] }] }] }",
            Self::KlueNli => "a JSON list of { guid, premise, hypothesis, gold_label }",
            Self::KlueSts => "a JSON list of { guid, sentence1, sentence2, labels: { label } }",
            Self::Hrm8k | Self::Arithmetic => "CSV, JSON lines or Parquet with the columns question and answer",
        }
    }

    /// What is measured.
    pub(super) fn statistics(self) -> &'static [Statistic] {
        use Statistic::{BinaryF1, MacroF1, Mean, Pearson, Share};
        match self {
            Self::Kmmlu | Self::Click => &[Mean("accuracy")],
            Self::KlueNli => &[Mean("accuracy"), MacroF1],
            Self::KlueSts => &[Pearson, BinaryF1],
            Self::Korquad => &[Mean("exact-match"), Mean("f1")],
            Self::Hrm8k | Self::Arithmetic => &[Mean("exact-match")],
            Self::Ifeval | Self::Kite => &[
                Mean("prompt-strict"),
                Mean("prompt-loose"),
                Share { name: "instruction-strict", part: "strict", whole: "instructions" },
                Share { name: "instruction-loose", part: "loose", whole: "instructions" },
            ],
        }
    }

    /// Whether its questions have choices with letters, which a text can name as well.
    pub(super) fn has_letters(self) -> bool {
        matches!(self, Self::Kmmlu | Self::Click)
    }

    /// Whether files of the set itself hold examples.
    pub(super) fn has_examples(self) -> bool {
        self == Self::Kmmlu
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::new(format!("`{name}` is no task")).hint(format!("tasks are {known}"))
        })
    }
}
