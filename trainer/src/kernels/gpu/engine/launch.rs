//! What goes on a card's stream: kernels and copies.

// Calls to the driver. Each block says why it is sound.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr;

use cudarc::driver::{result, sys};

use super::{Engine, Work, tried};
use crate::kernels::gpu::source::Source;

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub(in crate::kernels::gpu) enum Arg {
    Address(u64),
    Int(i32),
    Long(i64),
    Float(f32),
    /// What the copy engine reads boxes by (`boxes.rs`), passed by value.
    Map([u64; 16]),
}

impl Engine {
    /// Starts a kernel on our stream. `shared` counts bytes of dynamic shared memory.
    ///
    /// The callers in this module own the contract: the arguments are of the number and types that the
    /// kernel's text declares, and its accesses stay within the buffers behind the addresses.
    pub(in crate::kernels::gpu) fn launch(
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
    pub(in crate::kernels::gpu) fn launch_early(
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
    pub(in crate::kernels::gpu) fn zero(&self, address: u64, bytes: usize) -> Work {
        // SAFETY: the caller gives the size of the buffer at the address.
        unsafe { result::memset_d8_async(address, 0, bytes, self.stream) }.map_err(tried("fill a buffer with zeros"))
    }

    /// Writes to a buffer, in order with the kernels.
    pub(in crate::kernels::gpu) fn upload(&self, address: u64, words: &[i32]) -> Work {
        // SAFETY: the caller's buffer has room for the words; the driver has read memory that is not pinned when it returns.
        unsafe { result::memcpy_htod_async(address, words, self.stream) }.map_err(tried("write to a buffer"))
    }

    /// Copies from buffer to buffer.
    pub(in crate::kernels::gpu) fn copy(&self, from: u64, to: u64, bytes: usize) -> Work {
        // SAFETY: the caller gives buffers of at least this size.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream) }.map_err(tried("copy a buffer"))
    }
}
