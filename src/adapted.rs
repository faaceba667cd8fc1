//! Adapters and the model that they belong to: of a run, or of files.

use std::path::{Path, PathBuf};

use shards::Tokenizer;
use trainer::{AdapterFile, Base, Checkpoint, MergeBase, Pretrained, ScalarHead};

use crate::error::{Error, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::stage::train::Facts;

/// Where adapters are.
enum Place {
    Checkpoint(Box<Checkpoint>),
    /// A folder of the PEFT library.
    Folder(PathBuf),
}

/// Adapters and their model, opened anew as often as they are needed: neither is in memory twice.
pub(crate) struct Adapted {
    base: PathBuf,
    place: Place,
    /// Whose ids a run's model knows.
    tokenizer: Option<Tokenizer>,
    /// How the frozen matrices are kept.
    pub(crate) kept: Base,
    /// What is beside the output matrix, trained with the adapters.
    head: Option<ScalarHead>,
}

impl Adapted {
    /// A run's checkpoint; none where it is a whole model.
    pub(crate) fn of_run(run: &Path, recipe: &Recipe, checkpoint: &Checkpoint, tokenizer: Tokenizer) -> Result<Option<Self>> {
        let Some(kept) = checkpoint.state().kept() else { return Ok(None) };
        let Some(base) = recipe.train.as_ref().and_then(|train| train.init.clone()) else {
            return Err(Error::new(format!("{} has adapters, but its recipe names no `init` that they belong to", run.display())));
        };
        let facts: Facts = layout::read_json(run, layout::TRAINING)?;
        let hint = "the model that adapters were trained on must stay what and where it was: see `train.init` in the run's recipe.toml";
        let found = Pretrained::open(&base).and_then(|model| model.digest()).map_err(|error| Error::new(error).hint(hint))?;
        if facts.init != Some(found) {
            return Err(Error::new(format!("{} is not the model any more that the adapters were trained on", base.display())).hint(hint));
        }
        let (place, head) = (Place::Checkpoint(Box::new(checkpoint.clone())), checkpoint.state().model.scalar_head);
        Ok(Some(Self { base, place, tokenizer: Some(tokenizer), kept, head }))
    }

    /// A folder of the PEFT library beside a model in files.
    pub(crate) fn of_files(base: &Path, adapters: &Path) -> Self {
        Self { base: base.to_owned(), place: Place::Folder(adapters.to_owned()), tokenizer: None, kept: Base::F32, head: None }
    }

    /// The folder or file of the model.
    pub(crate) fn path(&self) -> &Path {
        &self.base
    }

    /// The model that the adapters belong to, with its vocabulary as in training.
    pub(crate) fn base(&self) -> Result<Pretrained> {
        let base = Pretrained::open(&self.base).map_err(Error::new)?;
        match (&self.tokenizer, &self.place) {
            // The numbers of the head come from the checkpoint, whatever the seed.
            (Some(tokenizer), _) => base.with_scalar_head(self.head, 0).and_then(|base| base.for_tokenizer(tokenizer)).map_err(Error::new),
            (None, Place::Folder(_)) => base.for_adapters(&self.adapters()?).map_err(Error::new),
            (None, Place::Checkpoint(_)) => Ok(base),
        }
    }

    /// The adapters.
    pub(crate) fn adapters(&self) -> Result<AdapterFile> {
        match &self.place {
            Place::Checkpoint(checkpoint) => match checkpoint.adapters().map_err(Error::new)? {
                Some(adapters) => Ok(adapters),
                None => Err(Error::new(format!("{} holds no adapters", checkpoint.folder().display()))),
            },
            Place::Folder(folder) => AdapterFile::open(folder)
                .map_err(|error| Error::new(error).hint("`--lora` is a folder with adapter_config.json and adapter_model.safetensors")),
        }
    }

    /// Both as one model.
    pub(crate) fn merged(&self, into: MergeBase) -> Result<Pretrained> {
        self.base()?.merged(self.adapters()?, self.kept, into).map_err(Error::new)
    }
}
