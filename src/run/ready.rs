//! What must be current before a stage: nothing is made of what another recipe left.

use shards::TokenizerSource;

use super::Run;
use crate::cli::StageName;
use crate::error::{Error, Result};

impl Run<'_> {
    /// The first unit up to the shards that is not current.
    pub(super) fn outdated(&self) -> Result<Option<String>> {
        let tokenizer = self.plan.tokenizer(&self.recipe)?;
        let global = [("dedup", &self.plan.dedup), ("tokenizer", &tokenizer)];
        if let Some((unit, _)) = global.iter().find(|(unit, print)| !self.lock.is_current(unit, print)) {
            return Ok(Some((*unit).to_owned()));
        }
        for at in 0..self.plan.parts.len() {
            let unit = self.unit("tokenize", at);
            if !self.lock.is_current(&unit, &self.plan.tokenize(&self.folder, &self.recipe, at, &tokenizer)?) {
                return Ok(Some(unit));
            }
        }
        let imports = self.plan.imports(&self.recipe, &tokenizer)?.into_iter();
        Ok(imports.map(|(unit, print)| (unit.name(), print)).find(|(unit, print)| !self.lock.is_current(unit, print)).map(|(unit, _)| unit))
    }

    /// Refuses a stage whose inputs are not there, or were made by another recipe: what it made of them
    /// would count as made by this one.
    pub(super) fn check_inputs(&self, stage: StageName) -> Result<()> {
        let is_trained = matches!(self.recipe.tokenizer.source(), TokenizerSource::Train(_) | TokenizerSource::SentencePiece(_));
        match stage {
            StageName::Clean => Ok(()),
            StageName::Dedup => self.cleaned(),
            StageName::Tokenizer if is_trained => self.deduplicated(),
            StageName::Tokenizer => Ok(()),
            StageName::Tokenize => self.deduplicated().and_then(|()| self.has_tokenizer()),
            StageName::Import => self.has_tokenizer(),
            StageName::Mix => match self.outdated()? {
                Some(unit) => Err(Error::new(format!("{unit} is not done yet by this recipe"))
                    .hint("`malmoi plan` shows what is to do; run `malmoi stage` for it first")),
                None => self.cleaned(),
            },
        }
    }

    fn cleaned(&self) -> Result<()> {
        let stale = (0..self.plan.parts.len()).find(|at| !self.lock.is_current(&self.unit("clean", *at), &self.plan.clean[*at]));
        stale.map_or(Ok(()), |at| {
            Err(Error::new(format!("part {} is not cleaned yet by this recipe", self.plan.parts[at].name))
                .hint("run `malmoi stage clean` for every part first"))
        })
    }

    fn deduplicated(&self) -> Result<()> {
        self.cleaned()?;
        if self.lock.is_current("dedup", &self.plan.dedup) {
            return Ok(());
        }
        Err(Error::new("the documents are not deduplicated yet by this recipe").hint("run `malmoi stage dedup` first"))
    }

    fn has_tokenizer(&self) -> Result<()> {
        if self.lock.is_current("tokenizer", &self.plan.tokenizer(&self.recipe)?) {
            return Ok(());
        }
        Err(Error::new("there is no tokenizer of this recipe yet").hint("run `malmoi stage tokenizer` first"))
    }
}
