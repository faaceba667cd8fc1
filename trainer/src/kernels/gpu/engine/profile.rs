//! How long each kernel of ours takes on the card.

// Calls to the driver. Each block says why it is sound.
#![allow(unsafe_code)]

use std::collections::BTreeMap;

use cudarc::driver::{result, sys};

use super::{ENGINES, Engine, Work, locked, tried};

/// Begins to measure every kernel of ours on every card in use.
pub(crate) fn start_profile() {
    for engine in locked(&ENGINES).values() {
        locked(engine).profile = Some(Vec::new());
    }
}

/// Ends it: kernels by name with the milliseconds of the card that they took and how often they ran.
/// The work has ended, which reading a result makes sure of.
pub(crate) fn end_profile() -> Vec<(String, f64, u64)> {
    let mut all = BTreeMap::<String, (f64, u64)>::new();
    for engine in locked(&ENGINES).values() {
        for Span { name, begin, end } in locked(engine).profile.take().unwrap_or_default() {
            // SAFETY: both events were recorded on the stream, and are destroyed here alone.
            let time = unsafe {
                let time = result::event::elapsed(begin, end);
                let _ = (result::event::destroy(begin), result::event::destroy(end)); // only leaks
                time
            };
            let entry = all.entry(name).or_default();
            entry.0 += f64::from(time.unwrap_or(f32::NAN));
            entry.1 += 1;
        }
    }
    all.into_iter().map(|(name, (time, count))| (name, time, count)).collect()
}

/// A kernel between two marks on the stream.
pub(super) struct Span {
    name: String,
    begin: sys::CUevent,
    end: sys::CUevent,
}

impl Engine {
    /// Runs `work`, one kernel, between two marks where a profile is taken.
    pub(in crate::kernels::gpu) fn marked(&mut self, name: impl FnOnce() -> String, work: impl FnOnce(&mut Self) -> Work) -> Work {
        self.marked_on(self.stream, name, work)
    }

    /// The same for work on another stream.
    pub(in crate::kernels::gpu) fn marked_on(
        &mut self,
        stream: sys::CUstream,
        name: impl FnOnce() -> String,
        work: impl FnOnce(&mut Self) -> Work,
    ) -> Work {
        if self.profile.is_none() {
            return work(self);
        }
        let begin = mark(stream)?;
        work(self)?;
        let end = mark(stream)?;
        self.profile.get_or_insert_default().push(Span { name: name(), begin, end });
        Ok(())
    }

    /// Whether kernels are measured one by one.
    pub(in crate::kernels::gpu) fn is_profiled(&self) -> bool {
        self.profile.is_some()
    }
}

fn mark(stream: sys::CUstream) -> Result<sys::CUevent, String> {
    let event = result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT).map_err(tried("make an event"))?;
    // SAFETY: event and stream are of this context and alive.
    unsafe { result::event::record(event, stream) }.map_err(tried("mark the stream"))?;
    Ok(event)
}
