//! Whether what a recipe says fits together, before anything is read.

use filters::FilterSpec;
use shards::{Balance, MixtureConfig};
use trainer::ObjectiveKind;

use super::{Import, Recipe};
use crate::chat::ChatConfig;

/// Something wrong with a recipe that parses: where (a path of keys), what, and what to do.
pub(super) struct Problem {
    pub(super) place: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn new(place: impl Into<String>, message: impl ToString) -> Self {
        Self { place: place.into(), message: message.to_string(), hint: None }
    }
}

/// Something names a bucket that nothing fills.
fn unfilled(place: String, message: String, buckets: &[&str]) -> Problem {
    Problem { place, message, hint: Some(format!("the sources fill: {}", buckets.join(", "))) }
}

impl Recipe {
    /// That its parts fit together.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.sources.is_empty() && self.imports.is_empty() {
            return Err(Problem::new("sources", "a recipe needs at least one source"));
        }
        if self.sources.is_empty() && (self.tokenizer.train.is_some() || self.tokenizer.sentencepiece.is_some()) {
            return Err(Problem::new(
                "tokenizer.train",
                "without sources there is no text to train a tokenizer on; `load` the imports' own",
            ));
        }
        for (index, source) in self.sources.iter().enumerate() {
            source.validate().map_err(|cause| Problem::new(format!("sources.{index}"), cause))?;
            if self.sources[..index].iter().any(|earlier| earlier.name == source.name) {
                return Err(Problem::new(format!("sources.{index}.name"), format!("two sources are named `{}`", source.name)));
            }
        }
        for (index, import) in self.imports.iter().enumerate() {
            import.validate().map_err(|cause| Problem::new(format!("imports.{index}"), cause))?;
            let mut earlier = self.sources.iter().map(|source| &source.name).chain(self.imports[..index].iter().map(|import| &import.name));
            if earlier.any(|name| *name == import.name) {
                return Err(Problem::new(
                    format!("imports.{index}.name"),
                    format!("`{}` is the name of another source or import", import.name),
                ));
            }
        }
        let buckets = self.buckets();
        for (index, filter) in self.filters.iter().enumerate() {
            filter.validate(&buckets).map_err(|cause| Problem {
                place: format!("filters.{index}.{}", filter.name()),
                message: cause.to_string(),
                hint: Some(format!("`malmoi explain {}` lists the options", filter.name())),
            })?;
        }
        self.dedup.validate().map_err(|cause| Problem::new("dedup", cause))?;
        let lines = self.dedup.lines.iter().flat_map(|lines| lines.buckets.keys()).map(|bucket| ("lines", bucket));
        let substrings = self.dedup.substrings.iter().flat_map(|substrings| substrings.buckets.keys()).map(|bucket| ("substrings", bucket));
        for (table, bucket) in lines.chain(substrings) {
            if !buckets.contains(&bucket.as_str()) {
                return Err(unfilled(
                    format!("dedup.{table}.buckets.{bucket}"),
                    format!("`{table}.buckets` names `{bucket}`, which no source fills"),
                    &buckets,
                ));
            }
        }
        if let Some(metric) = &self.dedup.prefer {
            let names = self.filters.iter().map(FilterSpec::metric_names).collect::<Result<Vec<_>, _>>();
            let mut names = names.map_err(|cause| Problem::new("filters", cause))?.concat();
            names.sort_unstable();
            names.dedup();
            if !names.contains(&metric.as_str()) {
                return Err(Problem {
                    place: "dedup.prefer".to_owned(),
                    message: format!("`prefer` names `{metric}`, which no filter of the recipe measures"),
                    hint: Some(format!("the filters measure: {}", names.join(", "))),
                });
            }
        }
        self.check_chat()?;
        self.tokenizer.check().map_err(|cause| Problem::new("tokenizer.train", cause))?;
        if self.part_bytes == 0 {
            return Err(Problem::new("part-bytes", "`part-bytes` must be at least 1"));
        }
        if !(0.0..=0.5).contains(&self.held_out) {
            return Err(Problem::new("held-out", format!("`held-out` is a share from 0 to 0.5, not {}", self.held_out)));
        }
        if let Some(train) = &self.train {
            train.validate().map_err(|cause| {
                let place = match &cause {
                    trainer::Error::Setting { option, .. } => format!("train.{option}"),
                    _ => "train".to_owned(),
                };
                Problem::new(place, cause)
            })?;
            crate::reward::check(&train.reward).map_err(|(index, detail)| Problem::new(format!("train.reward.{index}"), detail))?;
            if train.epochs.is_some() && self.mixture.balance == Balance::UniMax {
                return Err(Problem {
                    place: "train.epochs".to_owned(),
                    message: "`epochs` counts how often the scarcest bucket is gone through at stated ratios, and `unimax` states none"
                        .to_owned(),
                    hint: Some("set `train.tokens`; `mixture.max-epochs` says how often a bucket may repeat".to_owned()),
                });
            }
        }
        for bucket in self.tokenizer.train.iter().flat_map(|train| train.shares.keys()) {
            if !buckets.contains(&bucket.as_str()) {
                return Err(unfilled(
                    format!("tokenizer.train.shares.{bucket}"),
                    format!("the tokenizer has a share for bucket `{bucket}`, which no source fills"),
                    &buckets,
                ));
            }
        }
        if self.train.is_some() || self.mixture != MixtureConfig::default() {
            self.mixture.check().map_err(|cause| Problem::new("mixture", cause))?;
            if let Some(bucket) = self.mixture.epochs.keys().find(|bucket| !buckets.contains(&bucket.as_str())) {
                return Err(unfilled(
                    format!("mixture.epochs.{bucket}"),
                    format!("`mixture.epochs` names `{bucket}`, which no source fills"),
                    &buckets,
                ));
            }
            self.check_rehydrate(&buckets)?;
            for bucket in self.mixture.named() {
                if !buckets.contains(&bucket) {
                    return Err(unfilled(
                        format!("mixture.{bucket}"),
                        format!("the mixture asks for bucket `{bucket}`, which no source fills"),
                        &buckets,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Buckets whose documents are repeated by their clusters have documents, and clusters.
    fn check_rehydrate(&self, buckets: &[&str]) -> Result<(), Problem> {
        for bucket in self.mixture.rehydrate.keys() {
            let place = format!("mixture.rehydrate.{bucket}");
            if !buckets.contains(&bucket.as_str()) {
                return Err(unfilled(place, format!("`mixture.rehydrate` names `{bucket}`, which no source fills"), buckets));
            }
            if self.is_chat(bucket) {
                let message = format!("`mixture.rehydrate` names `{bucket}`, whose conversations are packed whole and drawn once an epoch");
                return Err(Problem::new(place, message));
            }
            if !self.sources.iter().any(|source| source.bucket == *bucket) {
                let message =
                    format!("`mixture.rehydrate` names `{bucket}`, which imports fill: they are not deduplicated, so none has a cluster");
                return Err(Problem::new(place, message));
            }
            if !(self.dedup.exact || self.dedup.url || self.dedup.minhash.is_some() || self.dedup.simhash.is_some()) {
                let hint = Some("switch on `dedup.exact` or `dedup.minhash`".to_owned());
                let message = "documents are repeated by the size of their cluster, and `[dedup]` finds no clusters".to_owned();
                return Err(Problem { place, message, hint });
            }
        }
        Ok(())
    }

    fn check_chat(&self) -> Result<(), Problem> {
        for (index, filter) in self.filters.iter().enumerate().filter(|(_, filter)| filter.removes_lines()) {
            if let Some(source) = self.sources.iter().find(|source| source.is_chat() && filter.concerns(&source.bucket)) {
                return Err(Problem {
                    place: format!("filters.{index}.{}", filter.name()),
                    message: format!(
                        "filter `{}` takes lines out of texts, and source `{}` has conversations, whose messages cannot lose any",
                        filter.name(),
                        source.name
                    ),
                    hint: Some(format!("add `except-buckets = [\"{}\"]` to it", source.bucket)),
                });
            }
        }
        for (index, source) in self.sources.iter().enumerate() {
            if !source.is_chat() && self.is_chat(&source.bucket) {
                let message = format!(
                    "source `{}` has plain text, but bucket `{}` has conversations too; they are put into rows otherwise, so give it another bucket",
                    source.name, source.bucket
                );
                return Err(Problem::new(format!("sources.{index}.bucket"), message));
            }
        }
        for (index, source) in self.sources.iter().enumerate().filter(|(_, source)| source.preference.is_some()) {
            if let Some(other) = self.sources.iter().find(|other| other.bucket == source.bucket && other.preference.is_none()) {
                let message = format!(
                    "source `{}` has preference data, but bucket `{}` has the conversations of `{}` too; give it another bucket",
                    source.name, source.bucket, other.name
                );
                return Err(Problem::new(format!("sources.{index}.bucket"), message));
            }
        }
        if let Some((index, import)) =
            self.imports.iter().enumerate().find(|(_, import)| self.is_chat(&import.bucket) && !import.can_have_loss())
        {
            let message = format!(
                "import `{}` fills bucket `{}`, which has conversations; these are put into rows otherwise, so give it another bucket",
                import.name, import.bucket
            );
            return Err(Problem::new(format!("imports.{index}.bucket"), message));
        }
        let chat = self.sources.iter().any(|source| source.is_chat());
        if !chat && self.chat != ChatConfig::default() {
            return Err(Problem::new("chat", "`[chat]` is set, but no source has conversations (`chat = { messages = \"messages\" }`)"));
        }
        self.check_preference()?;
        match self.train.as_ref().map(|train| train.objective) {
            // Whether files have a loss mask is seen when they are read.
            Some(ObjectiveKind::Sft | ObjectiveKind::Grpo | ObjectiveKind::Ppo)
                if !chat && !self.imports.iter().any(Import::can_have_loss) =>
            {
                Err(Problem {
                    place: "train.objective".to_owned(),
                    message: "objectives other than `cpt` learn from conversations, and no source has any".to_owned(),
                    hint: Some(
                        "give a source `chat = { messages = \"messages\" }`, or `{ instruction = .., input = .., output = .. }`".to_owned(),
                    ),
                })
            }
            Some(ObjectiveKind::Cpt) if chat => Err(Problem::new(
                "train.objective",
                "objective `cpt` learns from plain text, but a source has conversations: they need `sft`",
            )),
            _ => Ok(()),
        }
    }

    /// That objectives of judged answers have nothing else, and others none of them.
    fn check_preference(&self) -> Result<(), Problem> {
        let Some(objective) = self.train.as_ref().map(|train| train.objective) else { return Ok(()) };
        let wrong =
            |message: String, hint: &str| Err(Problem { place: "train.objective".to_owned(), message, hint: Some(hint.to_owned()) });
        let name = objective.name();
        match self.sources.iter().find(|source| source.preference.is_some() != objective.is_of_answers()) {
            Some(source) if objective.is_of_answers() => wrong(
                format!("objective `{name}` learns from judged answers, and source `{}` has none", source.name),
                "give it `preference = { prompt = .., chosen = .., rejected = .. }`, or take it out",
            ),
            Some(source) => wrong(
                format!("objective `{name}` would learn from the rejected answers of source `{}` too", source.name),
                "preference data is for `dpo`, `orpo`, `kto` and `reward`",
            ),
            None if objective.is_of_answers() && !self.imports.is_empty() => {
                wrong(format!("objective `{name}` learns from judged answers, which imports do not have"), "take `[[imports]]` out")
            }
            None => self.check_margin(),
        }
    }

    /// That there are margins where a reward model is to keep them.
    fn check_margin(&self) -> Result<(), Problem> {
        let wanted = self.train.as_ref().and_then(|train| train.reward_model.as_ref()).is_some_and(|reward| reward.margin);
        if !wanted || self.sources.iter().any(|source| source.preference.as_ref().is_some_and(|fields| fields.margin.is_some())) {
            return Ok(());
        }
        Err(Problem {
            place: "train.reward-model".to_owned(),
            message: "`margin` is set, but no source names a field with margins".to_owned(),
            hint: Some("give a source `preference = { .., margin = .. }`, or leave `margin` out".to_owned()),
        })
    }
}
