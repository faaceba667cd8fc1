//! What stands on one side of the places of a merge, by neighbour.

/// Neighbours of one merge.
#[derive(Default)]
pub(super) struct Side {
    groups: Vec<Group>,
    /// Group and place of each pair that arises.
    met: Vec<(u32, u32)>,
    /// The group of a token plus one.
    group_of: Vec<u32>,
}

/// One neighbour.
pub(super) struct Group {
    pub(super) neighbour: u32,
    /// How often it has lost its old partner.
    pub(super) gone: i64,
    /// How often it has got the new one.
    pub(super) made: i64,
    /// Places of the latter.
    pub(super) places: usize,
    /// Where these are to be written.
    pub(super) start: Option<usize>,
}

impl Side {
    /// Starts anew, for ids below `tokens`.
    pub(super) fn begin(&mut self, tokens: usize) {
        self.groups.drain(..).for_each(|group| self.group_of[group.neighbour as usize] = 0);
        self.met.clear();
        self.group_of.resize(tokens, 0);
    }

    #[inline]
    pub(super) fn add(&mut self, neighbour: u32, place: u32, weight: i64) {
        let group = &mut self.group_of[neighbour as usize];
        if *group == 0 {
            self.groups.push(Group { neighbour, gone: 0, made: 0, places: 0, start: None });
            *group = self.groups.len() as u32;
        }
        let index = *group - 1;
        let group = &mut self.groups[index as usize];
        group.gone += weight;
        group.made += weight;
        group.places += 1;
        self.met.push((index, place));
    }

    pub(super) fn groups(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// Number of places.
    pub(super) fn places(&self) -> usize {
        self.met.len()
    }

    /// The pair of the new token with itself arises on both sides where the token was there before: all
    /// of it then belongs to this side.
    pub(super) fn join(&mut self, after: &mut Self, id: u32) {
        let [ours, theirs] = [&*self, &*after].map(|side| side.group_of[id as usize].checked_sub(1));
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return };
        let group = &mut after.groups[theirs as usize];
        self.groups[ours as usize].made += std::mem::take(&mut group.made);
        self.groups[ours as usize].places += std::mem::take(&mut group.places);
        let places = after.met.extract_if(.., |(group, _)| *group == theirs);
        self.met.extend(places.map(|(_, place)| (ours, place)));
        self.met.sort_unstable_by_key(|&(_, place)| place);
    }

    /// Writes each place to where its group's are.
    pub(super) fn write(&mut self, places: &mut [u32]) {
        for &(group, place) in &self.met {
            if let Some(at) = &mut self.groups[group as usize].start {
                places[*at] = place;
                *at += 1;
            }
        }
    }
}
