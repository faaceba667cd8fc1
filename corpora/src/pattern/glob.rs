//! Globs: step by step along a path, so that it is known which folders can lead to a match and what a link stands for.

use glob::{MatchOptions, Pattern, PatternError};

const OPTIONS: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A glob in the order of the folders that it leads through. Without a step it matches the folder where it begins.
#[derive(Clone)]
pub(super) struct Glob {
    steps: Vec<Step>,
    /// It ended in `/**`, which is what lies in folders, not a file.
    only_folders: bool,
}

#[derive(Clone)]
enum Step {
    /// `**`: any folders, or none.
    Folders,
    /// What one name must be like.
    Name(Pattern),
}

/// How far a path has come in a glob.
#[derive(Clone, Default)]
pub(super) struct Place {
    /// Steps that may come next; the number of all of them where the path is matched itself.
    next: Vec<usize>,
    /// Those of `next` that a name led to, not `**`.
    by_name: Vec<usize>,
    /// Whether a folder above is matched, and nothing is hidden below it.
    inside: bool,
}

impl Glob {
    /// What a folder that was named stands for: all that is in it.
    pub(super) fn folder() -> Self {
        Self { steps: Vec::new(), only_folders: true }
    }

    pub(super) fn parse(pattern: &str) -> Result<Self, PatternError> {
        Pattern::new(pattern)?; // `a**`, which would be two `*` in one name
        let mut names: Vec<&str> = pattern.split('/').filter(|name| !name.is_empty()).collect();
        let count = names.len();
        while names.last() == Some(&"**") {
            names.pop();
        }
        let only_folders = names.len() < count;
        let step = |name: &str| if name == "**" { Ok(Step::Folders) } else { Pattern::new(name).map(Step::Name) };
        Ok(Self { steps: names.into_iter().map(step).collect::<Result<_, _>>()?, only_folders })
    }

    pub(super) fn start(&self) -> Place {
        Place { next: self.reachable(vec![0]), ..Place::default() }
    }

    /// The place of what is called `name` in a folder at a place. `*` and `**` find nothing hidden.
    pub(super) fn enter(&self, folder: &Place, name: &str) -> Place {
        let is_hidden = name.starts_with('.');
        let (mut next, mut by_name) = (Vec::new(), Vec::new());
        for step in &folder.next {
            match self.steps.get(*step) {
                Some(Step::Folders) if !is_hidden => next.push(*step),
                Some(Step::Name(pattern)) if pattern.matches_with(name, OPTIONS) => by_name.push(step + 1),
                _ => {}
            }
        }
        let by_name = self.reachable(by_name);
        next.extend_from_slice(&by_name);
        let inside = (folder.inside || self.is_end(folder)) && !is_hidden;
        Place { next: self.reachable(next), by_name, inside }
    }

    /// Whether the glob names the file at a place itself.
    pub(super) fn names_file(&self, place: &Place) -> bool {
        self.is_end(place) && !self.only_folders
    }

    /// The place of what a link leads to: `**` does not follow it, a name does.
    pub(super) fn follow(&self, link: Place) -> Place {
        Place { next: link.by_name, ..Place::default() }
    }

    fn is_end(&self, place: &Place) -> bool {
        place.next.contains(&self.steps.len())
    }

    /// The steps, and those after a `**` of no folders.
    fn reachable(&self, mut steps: Vec<usize>) -> Vec<usize> {
        let mut at = 0;
        while let Some(step) = steps.get(at).copied() {
            if matches!(self.steps.get(step), Some(Step::Folders)) {
                steps.push(step + 1);
            }
            at += 1;
        }
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

impl Place {
    /// Whether the path, or something below it, may be meant.
    pub(super) fn leads_on(&self) -> bool {
        self.inside || !self.next.is_empty()
    }

    /// Whether the path lies in a folder that is matched.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }
}
