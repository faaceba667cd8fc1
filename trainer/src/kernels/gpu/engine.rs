//! Work of our own on the card that Burn computes on: the one place that touches cubecl's internals.
//!
//! cubecl gives out the addresses of its buffers but not its streams. So there is a stream of our own
//! in the same CUDA context, and each piece of work is fenced (`fence.rs`): it begins when everything that
//! cubecl was given before it has ended, and what cubecl is given after it waits for its end. Pieces are submitted
//! on cubecl's own thread for the device, in order with its kernels; addresses are looked up there, because cubecl
//! may move buffers until then. The fence costs 2.6 microseconds of that thread (measured on an H100).

// Calls to the driver. Each block says why it is sound.
#![allow(unsafe_code)]

mod compile;
mod fence;
mod launch;
mod profile;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_cubecl::tensor::CubeTensor;
use cubecl::device::{CudaDevice, Device};
use cubecl::device_handle::DeviceHandle;
use cubecl::server::ServerStorage;
use cubecl_runtime::runtime::Runtime;
use cudarc::driver::{result, sys};

use super::gemm::Blas;
use super::group::Seat;
use super::source::Source;
use fence::Fence;
pub(super) use fence::{after, event};
pub(super) use launch::Arg;
use profile::Span;
pub(crate) use profile::{end_profile, start_profile};

/// cubecl's server of CUDA devices.
type Server = <cubecl::cuda::CudaRuntime as Runtime>::Server;

/// What went wrong, in words.
pub(super) type Work = Result<(), String>;

/// The first failure of work on any card. Work is asynchronous; whoever reads a result asks here.
static FAULT: Mutex<Option<String>> = Mutex::new(None);

/// The engines of the cards in use, by number.
/// Each has a lock of its own: what one card does may wait for another.
static ENGINES: Mutex<BTreeMap<usize, Arc<Mutex<Engine>>>> = Mutex::new(BTreeMap::new());

/// The same, whatever happened to whoever held the lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What failed since the program began; none when nothing did.
pub(crate) fn fault() -> Option<String> {
    locked(&FAULT).clone()
}

/// Says that something failed.
pub(super) fn fail(error: String) {
    locked(&FAULT).get_or_insert(error);
}

/// The first part of a card's compute capability, by its number; none where it cannot be asked.
pub(super) fn capability(card: usize) -> Option<i32> {
    let card = result::device::get(i32::try_from(card).ok()?).ok()?;
    let which = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
    // SAFETY: the driver gave the card, and writes one number.
    unsafe { result::device::get_attribute(card, which) }.ok()
}

/// Whether the fences of all cards in use are around cubecl's streams alone.
#[cfg(test)]
pub(super) fn is_fenced_exactly() -> bool {
    locked(&ENGINES).values().all(|engine| locked(engine).fence.is_exact())
}

/// Forgets what failed.
#[cfg(test)]
pub(super) fn forgive() -> Option<String> {
    locked(&FAULT).take()
}

/// Does some work, to the reading of its results, with what cards of any generation have.
#[cfg(test)]
pub(super) fn without_hopper<T>(work: impl FnOnce() -> T) -> T {
    let engines: Vec<_> = locked(&ENGINES).values().cloned().collect();
    let before: Vec<_> = engines.iter().map(|engine| std::mem::take(&mut locked(engine).hopper)).collect();
    let result = work();
    for (engine, before) in engines.iter().zip(before) {
        locked(engine).hopper = before;
    }
    result
}

/// One card's stream, libraries and compiled kernels.
pub(super) struct Engine {
    context: sys::CUcontext,
    pub(super) stream: sys::CUstream,
    fence: Fence,
    architecture: String,
    /// Whether the card is of the generation whose own instructions `cuda/hopper/` uses.
    pub(super) hopper: bool,
    /// Kernels by name, with the dynamic shared memory that they may have.
    functions: BTreeMap<(Source, &'static str), (sys::CUfunction, u32)>,
    modules: BTreeMap<Source, sys::CUmodule>,
    /// Opened when the first product is asked for.
    blas: Option<Blas>,
    /// Its place among other cards.
    pub(super) seat: Option<Seat>,
    /// Buffers that work beside our stream is on: cubecl neither moves nor reuses them.
    pub(super) held: Vec<Box<dyn Send>>,
    profile: Option<Vec<Span>>,
}

// SAFETY: the handles are not bound to a thread; they are used under the engine's lock only.
unsafe impl Send for Engine {}

type Job = Box<dyn FnOnce(&mut Engine, &[u64]) -> Work + Send>;

/// Pieces of work that go to a card together, under one fence.
#[derive(Default)]
pub(super) struct Queue {
    buffers: Vec<CubeTensor>,
    jobs: Vec<Job>,
    /// Whether the buffers are held when the work is submitted.
    holds: bool,
}

impl Queue {
    /// Adds a piece of work on these buffers. It is given the engine and the addresses of the buffers
    /// in their order. All buffers of a queue are contiguous and of one card.
    pub(super) fn add<const N: usize>(
        &mut self,
        buffers: [&CubeTensor; N],
        work: impl FnOnce(&mut Engine, [u64; N]) -> Work + Send + 'static,
    ) {
        let from = self.buffers.len();
        self.buffers.extend(buffers.map(CubeTensor::clone));
        self.jobs.push(Box::new(move |engine, all| {
            let own = all.get(from..from + N).and_then(|own| own.try_into().ok());
            work(engine, own.ok_or("addresses are missing")?)
        }));
    }

    /// The same for a number of buffers that only the run knows.
    pub(super) fn add_all(&mut self, buffers: Vec<CubeTensor>, work: impl FnOnce(&mut Engine, &[u64]) -> Work + Send + 'static) {
        let from = self.buffers.len();
        let to = from + buffers.len();
        self.buffers.extend(buffers);
        self.jobs.push(Box::new(move |engine, all| work(engine, all.get(from..to).ok_or("addresses are missing")?)));
    }

    /// The same with buffers that the engine holds on to, since some of the work runs beside its stream.
    pub(super) fn holding(mut self) -> Self {
        self.holds = true;
        self
    }

    /// Submits, and sees to it that the card's thread begins: it waits for some tasks to come together otherwise,
    /// or for someone to read a result.
    pub(super) fn submit_now(self) {
        let device = self.buffers.first().map(|buffer| buffer.device.clone());
        self.submit();
        if let Some(Device::Cuda(device)) = device {
            DeviceHandle::<Server>::new(Device::Cuda(device).to_id()).flush_queue();
        }
    }

    /// Sends everything to the card, to run after all that was submitted before.
    pub(super) fn submit(self) {
        let Some(first) = self.buffers.first() else { return };
        let Device::Cuda(device) = first.device.clone() else { return };
        // Whichever of cubecl's streams: the fences are around all of them.
        let stream = first.handle.stream;
        let handles: Vec<_> = self.buffers.into_iter().map(|buffer| buffer.handle).collect();
        let (jobs, holds) = (self.jobs, self.holds);
        let thread = DeviceHandle::<Server>::new(Device::Cuda(device.clone()).to_id());
        thread.submit(move |server| {
            let run = || -> Work {
                let mut resources = Vec::with_capacity(handles.len());
                for handle in handles {
                    resources.push(server.get_resource(handle.binding(), stream).map_err(|error| error.to_string())?);
                }
                let addresses: Vec<u64> = resources.iter().map(|resource| resource.resource().ptr).collect();
                let engine = match locked(&ENGINES).entry(device.index) {
                    Entry::Occupied(entry) => entry.get().clone(),
                    Entry::Vacant(entry) => entry.insert(Arc::new(Mutex::new(Engine::open(&device)?))).clone(),
                };
                let mut engine = locked(&engine);
                let Engine { context, stream, .. } = *engine;
                // SAFETY: the context is never left.
                unsafe { result::ctx::set_current(context) }.map_err(tried("enter the context"))?;
                engine.fence.enter(server, context, stream)?;
                let done = jobs.into_iter().try_for_each(|job| job(&mut engine, &addresses));
                if holds {
                    engine.held.push(Box::new(resources));
                }
                engine.fence.leave(context, stream)?;
                done
            };
            // Libraries that are missing panic, and cubecl would only log that.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
                Err(text.unwrap_or_else(|| "work on the card panicked".to_owned()))
            });
            if let Err(error) = done {
                fail(error);
            }
        });
    }
}

/// Adds what was tried to the driver's answer.
pub(super) fn tried<E: std::fmt::Debug>(what: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("{what}: {error:?}")
}

impl Engine {
    fn open(device: &CudaDevice) -> Result<Self, String> {
        use sys::CUdevice_attribute as A;
        let card = result::device::get(device.index as i32).map_err(tried("find the card"))?;
        // SAFETY: `card` was given by the driver. The context is the primary one, which cubecl uses; it
        // is retained for the life of the program and made current for the calls below.
        let (context, major, minor) = unsafe {
            let context = result::primary_ctx::retain(card).map_err(tried("open the context"))?;
            result::ctx::set_current(context).map_err(tried("enter the context"))?;
            let attribute = |which| result::device::get_attribute(card, which).map_err(tried("ask for the architecture"));
            let major = attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
            (context, major, attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?)
        };
        // Hopper's own instructions are not carried on to later cards, and belong to a target of their own.
        let hopper = (major, minor) == (9, 0);
        let own = if hopper { "a" } else { "" };
        Ok(Self {
            context,
            stream: result::stream::create(result::stream::StreamKind::NonBlocking).map_err(tried("make a stream"))?,
            fence: Fence::new()?,
            architecture: format!("--gpu-architecture=sm_{major}{minor}{own}"),
            hopper,
            functions: BTreeMap::new(),
            modules: BTreeMap::new(),
            blas: None,
            seat: None,
            held: Vec::new(),
            profile: None,
        })
    }

    /// cuBLASLt on this card.
    pub(super) fn blas(&mut self) -> Result<&mut Blas, String> {
        let blas = match self.blas.take() {
            Some(blas) => blas,
            None => Blas::open()?,
        };
        Ok(self.blas.insert(blas))
    }
}
