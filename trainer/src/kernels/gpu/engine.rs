//! Work of our own on the card that Burn computes on: the one place that touches cubecl's internals.
//!
//! cubecl gives out the addresses of its buffers but not its stream. So there is a stream of our own
//! in the same CUDA context, and each piece of work is fenced: it begins when everything submitted to
//! the context before it has ended, and what is submitted after it waits for its end
//! (`cuCtxRecordEvent` and `cuCtxWaitEvent`, CUDA 12.5). Pieces are submitted on cubecl's own thread
//! for the device, in order with its kernels; addresses are looked up there, because cubecl may move
//! buffers until then. The fence costs 2.6 microseconds of that thread (measured on an H100).

// Calls to the driver and to libraries that are loaded at run time. Each block says why it is sound.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_cubecl::tensor::CubeTensor;
use cubecl::device::{CudaDevice, Device};
use cubecl::device_handle::DeviceHandle;
use cubecl::server::ServerStorage;
use cubecl_runtime::runtime::Runtime;
use cudarc::driver::{result, sys};
use cudarc::nvrtc;

use super::gemm::Blas;
use super::group::Seat;
use super::source::Source;

/// cubecl's server of CUDA devices.
type Server = <cubecl::cuda::CudaRuntime as Runtime>::Server;

/// What went wrong, in words.
pub(super) type Work = Result<(), String>;

/// Bytes of shared memory that a kernel has without asking for more.
const SHARED_DEFAULT: u32 = 48 << 10;

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

/// The first part of a card's compute capability, by its number; none where it cannot be asked.
pub(super) fn capability(card: usize) -> Option<i32> {
    let card = result::device::get(i32::try_from(card).ok()?).ok()?;
    let which = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
    // SAFETY: the driver gave the card, and writes one number.
    unsafe { result::device::get_attribute(card, which) }.ok()
}

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

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    Address(u64),
    Int(i32),
    Long(i64),
    Float(f32),
    /// What the copy engine reads boxes by (`boxes.rs`), passed by value.
    Map([u64; 16]),
}

/// One card's stream, libraries and compiled kernels.
pub(super) struct Engine {
    context: sys::CUcontext,
    pub(super) stream: sys::CUstream,
    begin: sys::CUevent,
    end: sys::CUevent,
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
    profile: Option<Vec<Span>>,
}

/// A kernel between two marks on the stream.
struct Span {
    name: String,
    begin: sys::CUevent,
    end: sys::CUevent,
}

// SAFETY: the handles are not bound to a thread; they are used under the engine's lock only.
unsafe impl Send for Engine {}

type Job = Box<dyn FnOnce(&mut Engine, &[u64]) -> Work + Send>;

/// Pieces of work that go to a card together, under one fence.
#[derive(Default)]
pub(super) struct Queue {
    buffers: Vec<CubeTensor>,
    jobs: Vec<Job>,
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

    /// The same, and sees to it that the card's thread begins: it waits for some tasks to come together otherwise,
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
        let jobs = self.jobs;
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
                engine.enter()?;
                let done = jobs.into_iter().try_for_each(|job| job(&mut engine, &addresses));
                engine.leave()?;
                done
            };
            // Libraries that are missing panic, and cubecl would only log that.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
                Err(text.unwrap_or_else(|| "work on the card panicked".to_owned()))
            });
            if let Err(error) = done {
                locked(&FAULT).get_or_insert(error);
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
        let event = || result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING).map_err(tried("make an event"));
        Ok(Self {
            context,
            stream: result::stream::create(result::stream::StreamKind::NonBlocking).map_err(tried("make a stream"))?,
            begin: event()?,
            end: event()?,
            architecture: format!("--gpu-architecture=sm_{major}{minor}{own}"),
            hopper,
            functions: BTreeMap::new(),
            modules: BTreeMap::new(),
            blas: None,
            seat: None,
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

    /// Runs `work`, one kernel, between two marks where a profile is taken.
    pub(super) fn marked(&mut self, name: impl FnOnce() -> String, work: impl FnOnce(&mut Self) -> Work) -> Work {
        if self.profile.is_none() {
            return work(self);
        }
        let begin = self.mark()?;
        work(self)?;
        let end = self.mark()?;
        self.profile.get_or_insert_default().push(Span { name: name(), begin, end });
        Ok(())
    }

    fn mark(&self) -> Result<sys::CUevent, String> {
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT).map_err(tried("make an event"))?;
        // SAFETY: event and stream are of this context and alive.
        unsafe { result::event::record(event, self.stream) }.map_err(tried("mark the stream"))?;
        Ok(event)
    }

    /// Lets our stream wait for everything in the context.
    fn enter(&self) -> Work {
        // SAFETY: context, event and stream live as long as the engine, which is never dropped.
        unsafe {
            result::ctx::set_current(self.context).map_err(tried("enter the context"))?;
            sys::cuCtxRecordEvent(self.context, self.begin).result().map_err(tried("fence"))?;
            sys::cuStreamWaitEvent(self.stream, self.begin, 0).result().map_err(tried("fence"))
        }
    }

    /// Lets everything in the context wait for our stream.
    fn leave(&self) -> Work {
        // SAFETY: as in `enter`.
        unsafe {
            sys::cuEventRecord(self.end, self.stream).result().map_err(tried("fence"))?;
            sys::cuCtxWaitEvent(self.context, self.end).result().map_err(tried("fence"))
        }
    }

    /// Starts a kernel on our stream. `shared` counts bytes of dynamic shared memory.
    ///
    /// The callers in this module own the contract: the arguments are of the number and types that the
    /// kernel's text declares, and its accesses stay within the buffers behind the addresses.
    pub(super) fn launch(
        &mut self,
        source: Source,
        name: &'static str,
        grid: (u32, u32, u32),
        threads: u32,
        shared: u32,
        args: &[Arg],
    ) -> Work {
        if grid.0 == 0 || grid.1 == 0 || grid.2 == 0 {
            return Ok(());
        }
        self.start(source, name, (grid, threads, shared), args, false)
    }

    /// The same for a kernel that waits by itself for the one before (`await_before` in `cuda/decode/step.cuh`): where the card can,
    /// its blocks come to their places while that one still runs.
    pub(super) fn launch_early(
        &mut self,
        source: Source,
        name: &'static str,
        grid: (u32, u32, u32),
        threads: u32,
        shared: u32,
        args: &[Arg],
    ) -> Work {
        self.start(source, name, (grid, threads, shared), args, self.hopper)
    }

    fn start(
        &mut self,
        source: Source,
        name: &'static str,
        (grid, threads, shared): ((u32, u32, u32), u32, u32),
        args: &[Arg],
        early: bool,
    ) -> Work {
        let function = self.function(source, name, shared)?;
        let mut pointers: Vec<*mut c_void> = args
            .iter()
            .map(|arg| match arg {
                Arg::Address(value) => ptr::from_ref(value).cast_mut().cast(),
                Arg::Int(value) => ptr::from_ref(value).cast_mut().cast(),
                Arg::Long(value) => ptr::from_ref(value).cast_mut().cast(),
                Arg::Float(value) => ptr::from_ref(value).cast_mut().cast(),
                Arg::Map(value) => ptr::from_ref(value).cast_mut().cast(),
            })
            .collect();
        self.marked(
            || name.to_owned(),
            |engine| {
                let mut attribute = sys::CUlaunchAttribute {
                    id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                    pad: [0; 4],
                    value: sys::CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
                };
                let config = sys::CUlaunchConfig {
                    gridDimX: grid.0,
                    gridDimY: grid.1,
                    gridDimZ: grid.2,
                    blockDimX: threads,
                    blockDimY: 1,
                    blockDimZ: 1,
                    sharedMemBytes: shared,
                    hStream: engine.stream,
                    attrs: ptr::from_mut(&mut attribute),
                    numAttrs: u32::from(early),
                };
                // SAFETY: function and stream are of this context; the pointers are to `args`, which the
                // driver copies before it returns, as it does the configuration; the rest is the contract above.
                unsafe { sys::cuLaunchKernelEx(&config, function, pointers.as_mut_ptr(), ptr::null_mut()) }.result().map_err(tried(name))
            },
        )
    }

    /// Fills a buffer with zeros.
    pub(super) fn zero(&self, address: u64, bytes: usize) -> Work {
        // SAFETY: the caller gives the size of the buffer at the address.
        unsafe { result::memset_d8_async(address, 0, bytes, self.stream) }.map_err(tried("fill a buffer with zeros"))
    }

    /// Writes to a buffer, in order with the kernels.
    pub(super) fn upload(&self, address: u64, words: &[i32]) -> Work {
        // SAFETY: the caller's buffer has room for the words; the driver has read memory that is not pinned when it returns.
        unsafe { result::memcpy_htod_async(address, words, self.stream) }.map_err(tried("write to a buffer"))
    }

    /// Copies from buffer to buffer.
    pub(super) fn copy(&self, from: u64, to: u64, bytes: usize) -> Work {
        // SAFETY: the caller gives buffers of at least this size.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream) }.map_err(tried("copy a buffer"))
    }

    /// Whether kernels are measured one by one.
    pub(super) fn is_profiled(&self) -> bool {
        self.profile.is_some()
    }

    fn function(&mut self, source: Source, name: &'static str, shared: u32) -> Result<sys::CUfunction, String> {
        let known = self.functions.get(&(source, name)).copied();
        if let Some((function, allowed)) = known
            && shared <= allowed
        {
            return Ok(function);
        }
        let module = match self.modules.get(&source) {
            Some(module) => *module,
            None => {
                let image = compile(source, &self.architecture)?;
                // SAFETY: the image is what NVRTC made, whole and in memory during the call.
                let module = unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(tried("load the kernels"))?;
                self.modules.insert(source, module);
                module
            }
        };
        let named = CString::new(name).map_err(tried(name))?;
        // SAFETY: the module stays loaded for the life of the program.
        let function = unsafe { result::module::get_function(module, named) }.map_err(tried(name))?;
        let allowed = shared.max(SHARED_DEFAULT);
        if shared > 0 {
            let most = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { result::function::set_function_attribute(function, most, allowed as i32) }.map_err(tried(name))?;
        }
        self.functions.insert((source, name), (function, if shared > 0 { allowed } else { 0 }));
        Ok(function)
    }
}

/// Compiles to machine code of the card, once per program: half a second each.
fn compile(source: Source, architecture: &str) -> Result<Vec<u8>, String> {
    let headers = cubecl::cuda::install::cuda_path().ok_or("the CUDA headers were not found: set CUDA_PATH to the toolkit")?;
    let mut options = vec!["--std=c++17".to_owned(), architecture.to_owned(), format!("-I{}", headers.join("include").display())];
    options.extend(source.defines());
    let text = CString::new(source.text()).map_err(tried("read the kernels"))?;
    let program = nvrtc::result::create_program(&text, None).map_err(tried("start the kernel compiler (libnvrtc)"))?;
    // SAFETY: the program was just made, and is destroyed once at the end; sizes are those NVRTC gives.
    unsafe {
        let compiled = nvrtc::result::compile_program(program, &options);
        let image = match compiled {
            Ok(()) => {
                let mut size = 0;
                nvrtc::sys::nvrtcGetCUBINSize(program, &mut size).result().map_err(tried("get the kernels"))?;
                let mut image = vec![0u8; size];
                nvrtc::sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()).result().map_err(tried("get the kernels"))?;
                Ok(image)
            }
            Err(error) => {
                let log = nvrtc::result::get_program_log(program).unwrap_or_default();
                let log = if log.is_empty() { String::new() } else { CStr::from_ptr(log.as_ptr()).to_string_lossy().into_owned() };
                Err(format!("compile {source:?}: {error:?} {log}"))
            }
        };
        nvrtc::result::destroy_program(program).map_err(tried("end the kernel compiler"))?;
        image
    }
}
