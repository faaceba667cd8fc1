//! What a piece of our work waits for, and what waits for it.
//!
//! All of cubecl's streams, by their handles. cubecl does not give these out, but its server's text for programmers has
//! them, and is read again whenever there are more streams. What is read counts only where there is one handle for each
//! stream that the server says it has, and the driver says that each is of our context. Otherwise (cubecl's version is
//! pinned, but it may change) pieces are fenced against the whole context, CUDA 12.5: as correct, but then nothing
//! runs beside them, sums of gradients neither.

// Calls to the driver. Each block says why it is sound.
#![allow(unsafe_code)]

use std::fmt::Write;
use std::ptr;

use cubecl::server::Server as _;
use cudarc::driver::{result, sys};

use super::{Server, Work, tried};

/// What comes before the handle of a stream in the server's text.
const BEFORE_HANDLE: &str = "Stream { sys: 0x";

/// The order between our stream and cubecl's.
pub(super) struct Fence {
    begin: sys::CUevent,
    end: sys::CUevent,
    /// How many streams cubecl had when it was last asked.
    count: usize,
    /// Their handles; none where they could not be read.
    streams: Option<Vec<sys::CUstream>>,
}

impl Fence {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self { begin: event()?, end: event()?, count: 0, streams: None })
    }

    /// Whether it is known which streams are cubecl's.
    #[cfg(test)]
    pub(super) fn is_exact(&self) -> bool {
        self.streams.is_some()
    }

    /// Lets our stream wait for everything of cubecl's.
    pub(super) fn enter(&mut self, server: &Server, context: sys::CUcontext, ours: sys::CUstream) -> Work {
        let count = server.stream_ids().len();
        if count != self.count {
            (self.count, self.streams) = (count, read(server, count, context));
        }
        // SAFETY: context, events and streams live as long as the program.
        unsafe {
            let Some(streams) = &self.streams else {
                sys::cuCtxRecordEvent(context, self.begin).result().map_err(tried("fence"))?;
                return sys::cuStreamWaitEvent(ours, self.begin, 0).result().map_err(tried("fence"));
            };
            streams.iter().try_for_each(|&stream| after(stream, self.begin, ours))
        }
    }

    /// Lets everything of cubecl's wait for our stream.
    pub(super) fn leave(&self, context: sys::CUcontext, ours: sys::CUstream) -> Work {
        // SAFETY: as in `enter`.
        unsafe {
            sys::cuEventRecord(self.end, ours).result().map_err(tried("fence"))?;
            let Some(streams) = &self.streams else {
                return sys::cuCtxWaitEvent(context, self.end).result().map_err(tried("fence"));
            };
            let mut each = streams.iter();
            each.try_for_each(|&stream| sys::cuStreamWaitEvent(stream, self.end, 0).result().map_err(tried("fence")))
        }
    }
}

/// An event that orders and does not measure.
pub(in crate::kernels::gpu) fn event() -> Result<sys::CUevent, String> {
    result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING).map_err(tried("make an event"))
}

/// Lets `later` wait for what is on `first` now. The event is free for other uses at once.
///
/// # Safety
/// All three are alive and of one context.
pub(in crate::kernels::gpu) unsafe fn after(first: sys::CUstream, event: sys::CUevent, later: sys::CUstream) -> Work {
    // SAFETY: the caller's promise.
    unsafe {
        sys::cuEventRecord(event, first).result().map_err(tried("order streams"))?;
        sys::cuStreamWaitEvent(later, event, 0).result().map_err(tried("order streams"))
    }
}

/// The server's streams, where they can be told for certain.
fn read(server: &Server, count: usize, context: sys::CUcontext) -> Option<Vec<sys::CUstream>> {
    let mut text = String::new();
    write!(text, "{server:?}").ok()?;
    let streams: Vec<sys::CUstream> = handles(&text).into_iter().map(ptr::with_exposed_provenance_mut).collect();
    // One more releases memory that streams shared. It waits for them, and they for us.
    let streams = streams.get(..count).filter(|_| streams.len() <= count + 1)?;
    let ours = |&stream: &sys::CUstream| {
        let mut of = ptr::null_mut();
        // SAFETY: cubecl calls it the handle of a stream, and it is not null, which would be another one; the driver writes one pointer.
        let asked = !stream.is_null() && unsafe { sys::cuStreamGetCtx(stream, &mut of) }.result().is_ok();
        asked && of == context
    };
    streams.iter().all(ours).then(|| streams.to_vec())
}

/// The handles in the server's text, in its order.
fn handles(text: &str) -> Vec<usize> {
    let digits = text.split(BEFORE_HANDLE).skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default());
    digits.filter_map(|digits| usize::from_str_radix(digits, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_found_in_the_text() {
        let text = "Server { comm_stream: 0x1, streams: [None, Some(StreamWrapper { stream: Stream { sys: 0x7f00ab, memory: 2 }, cursor: 3 }), \
                    Some(StreamWrapper { stream: Stream { sys: 0xc, memory: 2 } })] }";
        assert_eq!(handles(text), [0x7f_00ab, 0xc]);
        assert_eq!(handles("Stream { handle: 0x7f00ab }"), [0; 0]);
    }
}
