//! Kernels that are recorded once and started together from then on.

// Calls to the driver. Each block says why it is sound.
#![allow(unsafe_code)]

use cudarc::driver::{result, sys};

use super::engine::{Engine, Work, tried};

/// Kernels that are started together: a CUDA graph.
pub(super) struct Recorded(sys::CUgraphExec);

// SAFETY: the handle is not bound to a thread.
unsafe impl Send for Recorded {}

impl Drop for Recorded {
    fn drop(&mut self) {
        // SAFETY: it is destroyed here alone; the driver waits with it where it still runs.
        let _ = unsafe { result::graph::exec_destroy(self.0) }; // only leaks
    }
}

impl Engine {
    /// The kernels that `work` starts, to be started again together. `work` has run before: nothing is
    /// compiled, planned or allocated now, and nothing runs.
    pub(super) fn record(&mut self, work: impl FnOnce(&mut Self) -> Work) -> Result<Recorded, String> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is of this context and alive, and no one else's work goes to it: the engine is locked.
        unsafe { result::stream::begin_capture(self.stream, mode) }.map_err(tried("begin to record"))?;
        let done = work(self);
        // SAFETY: as above; the graph is freed here alone, whatever came of it.
        unsafe {
            let graph = match result::stream::end_capture(self.stream) {
                Ok(graph) => graph,
                Err(error) => return done.and(Err(tried("end recording")(error))),
            };
            let none = sys::CUgraphInstantiate_flags(0);
            let recorded = done.and_then(|()| result::graph::instantiate(graph, none).map_err(tried("prepare what was recorded")));
            result::graph::destroy(graph).map_err(tried("free what was recorded"))?;
            recorded.map(Recorded)
        }
    }

    /// Starts recorded kernels. Their buffers are where they were.
    pub(super) fn replay(&mut self, recorded: &Recorded) -> Work {
        // SAFETY: the graph was made in this context and is alive; the callers see to the buffers.
        unsafe { result::graph::launch(recorded.0, self.stream) }.map_err(tried("start what was recorded"))
    }
}
